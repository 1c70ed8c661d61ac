"""Crosscoder: one set of codes for several views of the same samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sklearn_aensae.coding import Coding
from sklearn_aensae.estimators._decoder_norm_l1 import DecoderNormL1SAE
from sklearn_aensae.estimators._layers import PARTS
from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.modules import Autoencoder
from sklearn_aensae.objective import Term
from sklearn_aensae.objective.penalties import DecoderNormL1
from sklearn_aensae.params import Where

__all__ = ["Crosscoder"]

VIEWS = Where(f"None or {PARTS.describe()}", lambda value: value is None or PARTS.accepts(value))


@dataclass(eq=False, repr=False, kw_only=True)
class Crosscoder(DecoderNormL1SAE):
    r"""One set of sparse codes for several views of a sample: of layers, or of two models.

    .. math::
        h = \mathrm{ReLU}\Big(\sum_l W^l x^l + c\Big), \qquad \hat x^l = (D^l)^\top h + b^l, \qquad
        L = \frac{1}{Bn} \sum_{i=1}^{B} \sum_l \lVert x_i^l - \hat x_i^l \rVert^2
            + \frac{\lambda_1}{B} \sum_{i=1}^{B} \sum_j h_{ij} \sum_l \lVert d_j^l \rVert

    The views stand side by side in the n columns of `X`. Each is scaled by a factor of its own,
    so that one with large activations does not drown the others. Units and reductions are
    otherwise those of :class:`DecoderNormL1SAE`, which this is for a single view.

    An atom has a part in each view, and pays for the sum of their norms: it costs nothing to be 0
    in a view (one norm over all would make a part almost free where another is large). So a
    component that two models share has parts of about equal norm, and one that only one of them
    knows has a part in that alone: `relative_norms` tells them apart. With sparse codes a feature
    of both may still come out as two components of one view each; and what the penalty shrinks
    away looks like a part of norm 0.

    Codes and `components_` are those of atoms with norm 1 over all views, in the units of `X`.
    Exact codes solve the problem above, with its views of one size: in `encode`, :math:`w_j` is
    the sum in the j-th row of `view_norms_`.

    Parameters
    ----------
    n_components : int or float, default=8.0
        Number of components: an int is absolute, a float a multiple of the number of features
        (of all views).
    view_sizes : list of int or of float, or None, default=None
        Columns of each view, from the first column on: ints that sum to the number of features,
        or shares of it that sum to 1 and give whole columns. `(0.5, 0.5)` for two models of the
        same width. None: all columns are one view.
    lambda_1 : float, default=0.005
        Strength of the penalty; as in :class:`DecoderNormL1SAE`.
    lambda_warmup : int or float, default=0.05
        Linear rise from 0 of the penalty: steps (int) or a share of training (float).
    {target_parameters}
    {revival_parameters}
    {exact_parameters}
    {shared_parameters}

    Attributes
    ----------
    view_sizes_ : ndarray of shape (n_views,)
        Columns of each view.
    view_scales_ : ndarray of shape (n_views,)
        Factor of each view from the units of `X` to those of training; `input_scale_` is that of
        the whole row.
    view_norms_ : ndarray of shape (n_components, n_views)
        Norm of each atom's part in each view, in units in which views are of one size: times
        `view_scales_ / input_scale_`.
    {penalised_attributes}
    {shared_attributes}

    References
    ----------
    Lindsey et al. (2024). Sparse crosscoders for cross-layer features and model diffing.
    transformer-circuits.pub.

    Minder et al. (2025). Overcoming sparsity artifacts in crosscoders to interpret chat-tuning.
    :arxiv:`2504.02922`. What looks like a feature of one model and is none.

    Examples
    --------
    The two halves of a digit as views:

    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import Crosscoder
    >>> X = load_digits().data
    >>> coder = Crosscoder(128, view_sizes=(0.5, 0.5), max_epochs=2, random_state=0).fit(X)
    >>> coder.relative_norms().shape
    (128, 2)
    """

    _may_whiten: ClassVar[bool] = False

    view_sizes: Annotated[Sequence[int | float] | None, VIEWS] = None

    def relative_norms(self) -> NDArray[np.floating]:
        """Return the share of each view in the norms of an atom.

        Returns
        -------
        ndarray of shape (n_components, n_views)
            Rows sum to 1. Of two views, near (0.5, 0.5) is shared, near (1, 0) is the first
            one's own.
        """
        check_is_fitted(self)
        shares: NDArray[np.floating] = self.view_norms_ / self.view_norms_.sum(1, keepdims=True)
        return shares

    def _view_sizes(self, n_features: int) -> tuple[int, ...]:
        parts = (n_features,) if self.view_sizes is None else self.view_sizes
        counted = isinstance(parts[0], int | np.integer)
        sizes = tuple(round(float(part if counted else part * n_features)) for part in parts)
        exact = counted or np.allclose(sizes, np.multiply(parts, n_features))
        if sum(sizes) != n_features or min(sizes) < 1 or not exact:
            raise ValueError(
                f"view_sizes={self.view_sizes!r} must give whole columns that sum to the "
                f"{n_features} features of X."
            )
        return sizes

    def _check_plan(self, plan: Plan) -> None:
        super()._check_plan(plan)
        sizes = self._view_sizes(plan.n_features)
        if sizes != self._scaling.view_sizes:
            raise ValueError(
                f"warm_start=True needs the views of the last fit: view_sizes came to "
                f"{self._scaling.view_sizes} and would now come to {sizes}."
            )

    def _make_terms(self, plan: Plan) -> dict[str, Term]:
        return {"l1": DecoderNormL1(self.lambda_1, self._view_sizes(plan.n_features))}

    def _strengths(self) -> NDArray[np.floating]:
        norms: NDArray[np.floating] = self.view_norms_.sum(1)
        return self.lambda_1_ * norms

    def _pose(self, module: Autoencoder, x: Tensor) -> Coding:
        problem = super()._pose(module, x)
        columns, _ = self._scaling.column_factors(x)
        if columns is None:
            return problem
        return problem._replace(x=problem.x * columns, atoms=problem.atoms * columns)

    def _write_fitted(self) -> None:
        super()._write_fitted()
        factors = np.array(self._scaling.view_factors)
        self.view_sizes_ = np.array(self._scaling.view_sizes)
        self.view_scales_ = self._scaling.factor * factors
        views = np.split(self.components_, self.view_sizes_.cumsum()[:-1], axis=1)
        norms = np.stack([np.linalg.norm(view, axis=1) for view in views], axis=1)
        self.view_norms_ = norms * factors.astype(norms.dtype)
