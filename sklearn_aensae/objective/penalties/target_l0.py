"""Deviation of L0 from a target: squared near it, linear far from it."""

from torch import Tensor
from torch.nn import functional

from sklearn_aensae.modules import Autoencoder, SAEOutput
from sklearn_aensae.objective.base import Term

__all__ = ["TargetL0"]

NEAR = 0.1
"""Relative deviation up to which the square holds. Codes are dense at first, at dozens of times the
target: there the slope of the square silences most components for good."""


class TargetL0(Term):
    r"""Squared deviation :math:`u^2` of the mean L0 of a batch, :math:`u = L_0 / L_0^* - 1`.

    Beyond :math:`|u| = 0.1` it goes on along its tangent: :math:`0.2 |u| - 0.01`.

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
        """Deviation of the batch's mean L0."""
        l0 = output.codes.gates.component_sums.sum() / output.codes.n_rows
        deviation = l0 / self.target - 1
        # Huber's is half as much.
        return 2 * functional.huber_loss(deviation, deviation.new_zeros(()), delta=NEAR)
