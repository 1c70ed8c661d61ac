"""L1 penalty of nested dictionaries."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sklearn_aensae.modules import Autoencoder, SAEOutput
from sklearn_aensae.objective.base import Term

__all__ = ["NestedL1"]


class NestedL1(Term):
    r"""Weighted sum over levels of the L1 norm of the first codes, mean over the batch.

    .. math::
        \sum_l w_l \, \frac{1}{B} \sum_{i=1}^{B} \sum_{j \le m_l} h_{ij}
        = \frac{1}{B} \sum_{i=1}^{B} \sum_j \Big( \sum_{l : m_l \ge j} w_l \Big) h_{ij}

    Parameters
    ----------
    bounds : sequence of int, of length n_levels
        :math:`m_l`, ascending; the last is the number of components.
    level_weights : sequence of float, of length n_levels
        :math:`w_l`; the last is not 0. A level of weight 0 is left out.
    weight : float, default=1.0
        Factor of the term.
    detached : bool, default=False
        Whether a component pays in its own level only, the first that has it: the only one
        that trains it then.
    """

    weights: Tensor

    def __init__(
        self,
        bounds: Sequence[int],
        level_weights: Sequence[float],
        weight: float = 1.0,
        detached: bool = False,
    ) -> None:
        super().__init__(weight)
        weights = torch.zeros(bounds[-1], dtype=torch.float64)
        start = 0
        for bound, level_weight in zip(bounds, level_weights, strict=True):
            if not level_weight:
                continue
            if detached:
                weights[start:bound] = level_weight
            else:
                weights[:bound] += level_weight
            start = bound
        self.register_buffer("weights", weights)

    def forward(self, x: Tensor, output: SAEOutput, module: Autoencoder) -> Tensor:
        """Mean weighted L1 norm of the codes."""
        return output.codes.component_sums @ self.weights / output.codes.n_rows
