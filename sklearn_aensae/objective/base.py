"""The contract of a term: reconstruction errors, penalties and auxiliary losses alike."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from sklearn_aensae.modules import Autoencoder, SAEOutput

__all__ = ["Term"]


class Term(nn.Module, ABC):
    """One summand of an objective, a mean over the batch, times `weight`.

    Parameters
    ----------
    weight : float, default=1.0
        Factor of the term; kept as a buffer of shape () that schedules may fill.
    """

    is_penalty: ClassVar[bool] = True
    """Whether a warm-up of the penalties raises it."""

    weight: Tensor

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.final_weight = weight
        # Born in double precision, so that a float64 objective sees all digits of a parameter.
        self.register_buffer("weight", torch.tensor(weight, dtype=torch.float64))

    @abstractmethod
    def forward(self, x: Tensor, output: SAEOutput, module: Autoencoder) -> Tensor:
        """Value of the term before its weight, as a 0-d tensor.

        Parameters
        ----------
        x : Tensor of shape (batch, n_features)
            Scaled inputs.
        output : SAEOutput
            The forward pass of `module` on `x`.
        module : Autoencoder
            The module that is trained.
        """
