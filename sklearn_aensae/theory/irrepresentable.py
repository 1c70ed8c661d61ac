"""Whether exact codes have the support of the codes that made a row."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sklearn_aensae.metrics._arrays import Array, CodeArray
from sklearn_aensae.theory._arguments import (
    Floats,
    check_atoms,
    check_codes,
    check_support,
    check_vector,
)
from sklearn_aensae.theory._restricted import Penalty, check_signs

__all__ = [
    "IrrepresentableScore",
    "IrrepresentableScores",
    "irrepresentable_score",
    "irrepresentable_scores",
]


class IrrepresentableScore(NamedTuple):
    """What :func:`irrepresentable_score` finds."""

    score: float
    """Largest of `scores`; minus infinity if no component is outside the support."""

    scores: Floats
    """Score of each component outside the support, NaN in it: (n_components,)."""

    codes: Floats
    """What the penalties leave of the true codes on the support alone: (n_active,)."""

    recovers: bool
    """Whether exact codes have the support, and signs, of the true ones."""


class IrrepresentableScores(NamedTuple):
    """What :func:`irrepresentable_scores` finds."""

    scores: Floats
    """Score of each row, shape (n_samples,)."""

    recovers: npt.NDArray[np.bool_]
    """Whether exact codes have each row's support, and signs, shape (n_samples,)."""


def irrepresentable_score(
    dictionary: Array,
    support: npt.ArrayLike,
    values: npt.ArrayLike,
    *,
    lambda_1: float,
    lambda_2: float = 0.0,
    weights: npt.ArrayLike | None = None,
    signed: bool = False,
) -> IrrepresentableScore:
    r"""Irrepresentable condition of the weighted elastic net, for one row without noise.

    .. math:: \max_{j \notin A} \frac1{w_j}\, g_{jA} (G_{AA} + n \lambda_2 I)^{-1}
        \Big(w_A + \frac{2 \lambda_2}{\lambda_1} h_A\Big) < 1

    says that the exact code of :math:`x = b + D_A^\top h_A` has the support A, if true codes are
    large enough for the penalties to leave all of them positive (`codes`). Then it is the
    only one, and above 1 something outside A does enter; where they are not large enough, part of
    A is lost. With `signed=True` codes may have either sign: :math:`w_A` becomes
    :math:`w_A s_A` with the signs :math:`s_A` of :math:`h_A`, and the absolute value counts.

    Parameters
    ----------
    dictionary : array-like or tensor of shape (n_components, n_features)
        Atoms as rows, D; :math:`G = D D^\top` and n is `n_features`.
    support : array-like of int, or mask of shape (n_components,)
        The components of A.
    values : array-like of shape (n_active,)
        True codes :math:`h_A`, in the order of `support`; positive unless `signed`.
    lambda_1, lambda_2 : float
        Strengths of the penalties as estimators have them, for rows in the units of `dictionary`
        and `values`: `lambda_1` positive, `lambda_2` at least 0. For an estimator's codes in the
        units of its `X`, `lambda_1` is ``sae.lambda_1_ / sae.input_scale_`` (docs/theory.md says
        when).
    weights : array-like of shape (n_components,) or None, default=None
        Positive weights w of the L1 penalty; None is 1.
    signed : bool, default=False
        Whether codes may be negative; the library's are not.

    Returns
    -------
    result : IrrepresentableScore
        `score`, `scores`, `codes` and `recovers`.

    Raises
    ------
    TypeError, ValueError
        If a strength is no number or out of range, a shape does not fit, a value is 0 or of a
        forbidden sign, a weight is not positive, or A's atoms are linearly dependent up to rounding
        and `lambda_2` is 0 or too small to tell them apart.

    Notes
    -----
    Times n / 2, coding minimises :math:`\frac12 \lVert x - b - D^\top h \rVert^2 + \alpha^\top h +
    \frac\mu2 \lVert h \rVert^2` over :math:`h \ge 0`, with :math:`\alpha = n \lambda_1 w / 2` and
    :math:`\mu = n \lambda_2`. A code with residual r is its minimum if and only if
    :math:`d_j^\top r = \alpha_j + \mu h_j` where it is active, and :math:`d_j^\top r \le \alpha_j`
    elsewhere. On A alone, the first gives

    .. math:: \hat h_A = h_A - (G_{AA} + \mu I)^{-1} (\alpha_A + \mu h_A),

    so :math:`r = D_A^\top (h_A - \hat h_A)`. Put into the second and divided by :math:`\alpha_j`,
    this is the condition, as :math:`\mu / (n \lambda_1 / 2) = 2 \lambda_2 / \lambda_1`.

    References
    ----------
    Lasso: Zhao and Yu (2006), On model selection consistency of lasso. Elastic net: Jia and Yu
    (2010), On model selection consistency of the elastic net when p >> n. Weights: Zou (2006), The
    adaptive lasso and its oracle properties. Setting: :arxiv:`2605.05341`.

    Examples
    --------
    An atom that both active ones lean to, until its weight keeps it out:

    >>> from sklearn_aensae.theory import irrepresentable_score
    >>> D = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.6, 0.6, 0.529]]
    >>> for w in [1.0, 1.0, 1.0], [1.0, 1.0, 1.5]:
    ...     found = irrepresentable_score(D, [0, 1], [2.0, 1.0], lambda_1=0.1, weights=w)
    ...     print(round(found.score, 6), found.recovers)
    1.2 False
    0.8 True
    """
    atoms = check_atoms(dictionary)
    members = check_support(support, len(atoms))
    h = check_vector(values, "values", len(members))
    check_signs(h, "values", signed)
    penalty = Penalty(atoms, lambda_1, lambda_2, weights)
    direction, codes = penalty.restricted(members, h)
    scores = penalty.scores(direction, signed)
    scores[members] = np.nan
    score = float(np.delete(scores, members).max(initial=-np.inf))
    return IrrepresentableScore(score, scores, codes, bool(score < 1 and (codes * h > 0).all()))


def irrepresentable_scores(
    dictionary: Array,
    codes: CodeArray,
    *,
    lambda_1: float,
    lambda_2: float = 0.0,
    weights: npt.ArrayLike | None = None,
    signed: bool = False,
) -> IrrepresentableScores:
    """Irrepresentable condition of the elastic net, as in `irrepresentable_score`, for many rows.

    Parameters
    ----------
    dictionary : array-like or tensor of shape (n_components, n_features)
        Atoms as rows.
    codes : array-like, tensor or sparse matrix of shape (n_samples, n_components)
        True codes; the support of a row is where they are not zero. A row without any has score 0.
    lambda_1, lambda_2, weights, signed
        As in :func:`irrepresentable_score`.

    Returns
    -------
    result : IrrepresentableScores
        `scores` and `recovers` of each row.

    Raises
    ------
    TypeError, ValueError
        As :func:`irrepresentable_score` does.

    Examples
    --------
    What a ridge takes from codes is left for other components to explain:

    >>> from sklearn_aensae.datasets import make_spiked_dictionary
    >>> from sklearn_aensae.theory import irrepresentable_scores
    >>> _, codes, D = make_spiked_dictionary(100, rho=0.0, random_state=0)
    >>> for lambda_2 in 0.0, 1e-4:
    ...     found = irrepresentable_scores(D, codes, lambda_1=1e-3, lambda_2=lambda_2)
    ...     print(found.scores.mean().round(2), found.recovers.mean())
    0.84 0.93
    1.15 0.12
    """
    atoms = check_atoms(dictionary)
    active = check_codes(codes, len(atoms))
    check_signs(active.data, "codes", signed)
    penalty = Penalty(atoms, lambda_1, lambda_2, weights)
    scores, kept = np.zeros(active.shape[0]), np.ones(active.shape[0], dtype=bool)
    for i, (start, stop) in enumerate(pairwise(active.indptr)):
        if stop > start:
            members, h = active.indices[start:stop], active.data[start:stop].astype(np.float64)
            direction, restricted = penalty.restricted(members, h)
            outside = np.delete(penalty.scores(direction, signed), members)
            scores[i] = outside.max(initial=-np.inf)
            kept[i] = (restricted * h > 0).all()
    return IrrepresentableScores(scores, kept & (scores < 1))
