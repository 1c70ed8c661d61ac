"""Squared relative deviation of L0 from a target."""

from torch import Tensor

from sklearn_aensae.modules import Autoencoder, SAEOutput
from sklearn_aensae.objective.base import Term

__all__ = ["TargetL0"]


class TargetL0(Term):
    r"""Squared deviation :math:`(L_0 / L_0^* - 1)^2` of the mean number of active components.

    Parameters
    ----------
    target : float
        :math:`L_0^*`.
    weight : float
        Factor of the term.
    """

    def __init__(self, target: float, weight: float) -> None:
        super().__init__(weight)
        self.target = target

    def forward(self, x: Tensor, output: SAEOutput, module: Autoencoder) -> Tensor:
        """Squared relative deviation of the batch's mean L0."""
        l0 = output.codes.gates.component_sums.sum() / output.codes.n_rows
        return (l0 / self.target - 1).square()
