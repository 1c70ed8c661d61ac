"""Squared L2 penalty."""

from torch import Tensor

from sklearn_aensae.modules import Autoencoder, SAEOutput
from sklearn_aensae.objective.base import Term

__all__ = ["L2"]


class L2(Term):
    """Sum of the squared codes over components, mean over the batch."""

    def forward(self, x: Tensor, output: SAEOutput, module: Autoencoder) -> Tensor:
        """Mean squared L2 norm of the codes."""
        return output.codes.square_sum / output.codes.n_rows
