"""Tanh penalty: between L1 for small codes and L0 for large ones."""

import torch
from torch import Tensor

from sklearn_aensae.modules import Autoencoder, SAEOutput
from sklearn_aensae.objective.base import Term

__all__ = ["Tanh"]


class Tanh(Term):
    r"""Sum of :math:`\tanh(c f)` over components, mean over the batch.

    Parameters
    ----------
    scale : float
        c; the larger it is, the nearer the sum is to the number of active components.
    weight : float
        Factor of the term.
    """

    def __init__(self, scale: float, weight: float) -> None:
        super().__init__(weight)
        self.scale = scale

    def forward(self, x: Tensor, output: SAEOutput, module: Autoencoder) -> Tensor:
        """Mean sum of squashed codes."""
        return torch.tanh(self.scale * output.codes.values).sum() / output.codes.n_rows
