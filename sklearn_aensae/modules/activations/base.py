"""The contract of an activation."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from sklearn_aensae.kernels import Codes

__all__ = ["Activation"]


class Activation(nn.Module, ABC):
    """Maps pre-codes (batch, n_components) to non-negative codes.

    In evaluation mode it must act row by row: the code of a row may not depend on the other
    rows of the batch.
    """

    @abstractmethod
    def forward(self, pre_codes: Tensor) -> Codes:
        """Codes of the batch."""
