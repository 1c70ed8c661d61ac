"""The contract of an activation."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from sklearn_aensae.kernels import ActiveCodes, Codes, Selected, active_encode

__all__ = ["Activation"]


class Activation(nn.Module, ABC):
    """Turns pre-codes into non-negative codes, most of which are 0.

    A variant says which pre-codes are active (`select`) and what becomes of those
    (`activate`); the rest of the sparse step follows. In evaluation mode it must act row by
    row: the code of a row may not depend on the other rows of the batch.
    """

    elementwise = False
    """Whether the code of a component depends on its own pre-code only."""

    @abstractmethod
    def select(self, block: Tensor) -> Selected:
        """Choose the active entries of a contiguous block of rows, (n_rows, n_components).

        Called without gradients, and with the same memory for each block: copy what is kept.
        """

    def activate(self, values: Tensor, columns: Tensor | slice) -> Tensor:
        """Codes of pre-codes, differentiable: of selected ones, both of shape (n_active,).

        An elementwise activation is also asked for all codes of some rows; `columns` is then
        the slice of the components that are the columns of `values`.
        """
        return torch.relu(values)

    def adapt(self) -> None:
        """Choose how to compute what comes; called when the device is read anyway."""

    def encode(self, x: Tensor, weight: Tensor, bias: Tensor, offset: Tensor) -> Codes:
        """Codes of W(x - offset) + bias; arguments as in `kernels.active_encode`."""
        values, pattern = active_encode(x, weight, bias, offset, self.select)
        return ActiveCodes(self.activate(values, pattern.columns), pattern)
