"""Whether a component can be active at all under its penalty."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sklearn_aensae.metrics._arrays import Array, check_rows, row_batches
from sklearn_aensae.theory._arguments import (
    Floats,
    check_atoms,
    check_strength,
    check_vector,
    check_weights,
)

__all__ = ["SignalCeiling", "signal_ceiling"]


class SignalCeiling(NamedTuple):
    """What :func:`signal_ceiling` finds; all have shape (n_components,)."""

    needed: Floats
    r"""Slope that the L1 penalty asks for, :math:`n \lambda_1 w_j / 2`."""

    reach: Floats
    r"""Slope of the best row on its own, :math:`\max_x d_j^\top (x - b)`."""

    margin: Floats
    """`reach` - `needed`: positive if the component would be active without any other."""

    ceiling: Floats
    """Slope that no residual exceeds, whatever the other components are; at least `reach`."""

    can_enter: npt.NDArray[np.bool_]
    """Whether `ceiling` is above `needed`; if not, no exact code of these rows is active."""


def signal_ceiling(
    dictionary: Array,
    X: Array,
    *,
    lambda_1: float,
    weights: npt.ArrayLike | None = None,
    bias: npt.ArrayLike | None = None,
) -> SignalCeiling:
    r"""Compare what the L1 penalty asks of each component with what rows can give.

    An exact code is active only if :math:`d_j^\top r \ge n \lambda_1 w_j / 2`, with r what codes
    leave of the row. As the first to enter, component j sees the row itself:

    .. math:: \mathrm{margin}_j = \max_x d_j^\top (x - b) - \frac{n \lambda_1 w_j}{2}.

    A negative margin is the usual sign of a feature that its penalty has killed, but no proof:
    others that point away from :math:`d_j` may overshoot and call it in. Only where no cosine
    is negative is it one. Whatever the others are, codes cannot be active unless

    .. math:: \max_x \tfrac12 \big(d_j^\top (x - b) + \lVert d_j \rVert \lVert x - b \rVert\big)
        > \frac{n \lambda_1 w_j}{2}.

    Parameters
    ----------
    dictionary : array-like or tensor of shape (n_components, n_features)
        Atoms as rows; n is `n_features`.
    X : array-like or tensor of shape (n_samples, n_features)
        Rows; read in batches.
    lambda_1 : float
        Strength of the L1 penalty as estimators have it, at least 0, for rows in the units of
        `X`: of an estimator, ``sae.lambda_1_ / sae.input_scale_`` (docs/theory.md says when).
    weights : array-like of shape (n_components,) or None, default=None
        Positive weights w of the L1 penalty; None is 1.
    bias : array-like of shape (n_features,) or None, default=None
        Bias b of the decoder; None is 0.

    Returns
    -------
    result : SignalCeiling
        `needed`, `reach`, `margin`, `ceiling` and `can_enter` of each component.

    Raises
    ------
    TypeError
        If `lambda_1` is not a number.
    ValueError
        If a shape does not fit, a number is not finite, a weight is not positive or `lambda_1` is
        negative.

    Notes
    -----
    At an exact code, :math:`h^\top (D r - \mu h - \alpha) = 0`, so :math:`r^\top (x - b - r) = \mu
    \lVert h \rVert^2 + \alpha^\top h \ge 0`: r lies in the ball with the ends of :math:`x - b` as
    poles, and no point of that ball has a larger product with :math:`d_j` than the one given above.

    References
    ----------
    Feature Starvation as Geometric Instability in Sparse Autoencoders (2026).
    :arxiv:`2605.05341`. To rule components out by such balls: El Ghaoui, Viallon and Rabbani
    (2012), Safe feature elimination for the lasso and sparse supervised learning problems.

    Examples
    --------
    >>> from sklearn_aensae.theory import signal_ceiling
    >>> D, X = [[1.0, 0.0], [0.0, 1.0]], [[3.0, 0.0], [2.0, 1.0]]
    >>> found = signal_ceiling(D, X, lambda_1=1.0, weights=[1.0, 2.0])
    >>> found.margin, found.can_enter
    (array([ 2., -1.]), array([ True, False]))
    """
    atoms = check_atoms(dictionary)
    n_components, n_features = atoms.shape
    rows = check_rows(X, "X")
    if rows.shape[1] != n_features:
        raise ValueError(f"X must have {n_features} columns, as atoms have; got {rows.shape[1]}.")
    origin = np.zeros(n_features) if bias is None else check_vector(bias, "bias", n_features)
    strength = n_features * check_strength(lambda_1, "lambda_1") / 2
    needed = strength * check_weights(weights, n_components)
    lengths = np.linalg.norm(atoms, axis=1)
    reach, ceiling = np.full((2, n_components), -np.inf)
    for batch in row_batches(rows, n_components):
        x = rows[batch] - origin
        slopes = x @ atoms.T
        np.maximum(reach, slopes.max(axis=0), out=reach)
        slopes += np.linalg.norm(x, axis=1, keepdims=True) * lengths
        np.maximum(ceiling, slopes.max(axis=0) / 2, out=ceiling)
    return SignalCeiling(needed, reach, reach - needed, ceiling, ceiling > needed)
