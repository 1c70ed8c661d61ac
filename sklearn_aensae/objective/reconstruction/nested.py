"""Squared errors of nested dictionaries: the first components must reconstruct on their own."""

from collections.abc import Sequence

from torch import Tensor

from sklearn_aensae.kernels import nested_squared_error
from sklearn_aensae.modules import Autoencoder, SAEOutput
from sklearn_aensae.objective.base import Term

__all__ = ["Nested"]


class Nested(Term):
    r"""Weighted sum over levels of the squared error of the first components of each.

    .. math::
        \sum_l w_l \, \frac{1}{Bn} \sum_{i=1}^{B}
            \lVert x_i - b - D_{1:m_l}^\top h_{i, 1:m_l} \rVert^2

    The components from :math:`m_l` on have no gradient from level l. A level of weight 0 is
    left out.

    Parameters
    ----------
    bounds : sequence of int, of length n_levels
        :math:`m_l`, ascending; the last is the number of components.
    level_weights : sequence of float, of length n_levels
        :math:`w_l`; the last is not 0.
    weight : float, default=1.0
        Factor of the term.
    detached : bool, default=False
        Whether each level trains its own components only, those that the level before it does
        not have, and takes what comes from the others as given.

    References
    ----------
    :arxiv:`Bussmann et al. (2025). Learning multi-level features with Matryoshka sparse
    autoencoders <2503.17547>`.
    """

    def __init__(
        self,
        bounds: Sequence[int],
        level_weights: Sequence[float],
        weight: float = 1.0,
        detached: bool = False,
    ) -> None:
        super().__init__(weight)
        levels = [(m, w) for m, w in zip(bounds, level_weights, strict=True) if w]
        self.bounds = [bound for bound, _ in levels]
        self.level_weights = [level_weight for _, level_weight in levels]
        self.detached = detached

    def forward(self, x: Tensor, output: SAEOutput, module: Autoencoder) -> Tensor:
        """Weighted sum of the levels' mean squared errors."""
        groups = module.decoder.groups(output.codes, self.bounds)
        return nested_squared_error(
            groups,
            module.decoder.bias,
            output.wanted(x),
            self.level_weights,
            detached=self.detached,
        )
