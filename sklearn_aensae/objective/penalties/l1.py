"""L1 penalty."""

from torch import Tensor

from sklearn_aensae.modules import Autoencoder, SAEOutput
from sklearn_aensae.objective.base import Term

__all__ = ["L1"]


class L1(Term):
    """Sum of the codes over components, mean over the batch (codes are non-negative)."""

    def forward(self, x: Tensor, output: SAEOutput, module: Autoencoder) -> Tensor:
        """Mean L1 norm of the codes."""
        return output.codes.component_sums.sum() / output.codes.n_rows
