"""Sum of the gates: L0 where they are indicators, L1 where they are pre-codes."""

from torch import Tensor

from sklearn_aensae.modules import Autoencoder, SAEOutput
from sklearn_aensae.objective.base import Term

__all__ = ["GateSum"]


class GateSum(Term):
    """Sum over components of what decides on activity, mean over the batch.

    The number of active components of a row (L0), if the activation's gates are 0 or 1.
    """

    def forward(self, x: Tensor, output: SAEOutput, module: Autoencoder) -> Tensor:
        """Mean sum of the gates."""
        return output.codes.gates.component_sums.sum() / output.codes.n_rows
