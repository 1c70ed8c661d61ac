"""How evenly components are used, and how many adaptive weights are at their bounds."""

from __future__ import annotations

from numbers import Real
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sklearn_aensae._numbers import check_number
from sklearn_aensae.theory._arguments import Floats

__all__ = ["PinnedShare", "effective_sample_size", "pinned_share"]


class PinnedShare(NamedTuple):
    """What :func:`pinned_share` finds."""

    low: float
    """Share of the weights at the lower bound."""

    high: float
    """Share of the weights at the upper bound."""

    total: float
    """Share at either."""


def effective_sample_size(activity: npt.ArrayLike) -> float:
    r"""Count components by how evenly they are active.

    .. math:: \frac{(\sum_j e_j)^2}{\sum_j e_j^2} \in [1, \mathrm{n\_components}]

    Parameters
    ----------
    activity : array-like of shape (n_components,)
        Activity e of each component, such as its mean code or its density; not negative.

    Returns
    -------
    size : float
        n if n components are equally active and the others silent; 0 if all are silent. The scale
        of `activity` does not matter.

    Raises
    ------
    ValueError
        If `activity` is not a vector of at least one finite number, or one of them is negative.

    References
    ----------
    Kish (1965). Survey sampling. As a measure of use: :arxiv:`2605.05341`.

    Examples
    --------
    >>> from sklearn_aensae.theory import effective_sample_size
    >>> effective_sample_size([2.0, 2.0, 2.0, 0.0])
    3.0
    >>> effective_sample_size([2.0, 1.0, 1.0, 1.0, 1.0])
    4.5
    """
    e = _check_vector(activity, "activity")
    # Divided by the largest, squares neither overflow nor vanish.
    share = e / e.max() if e.max() else e
    return float(share.sum() ** 2 / max(np.square(share).sum(), 1.0))


def pinned_share(
    weights: npt.ArrayLike, low: float, high: float, *, rtol: float = 1e-6
) -> PinnedShare:
    r"""Share of adaptive weights that their bounds hold.

    .. math:: \frac{\#\{j : w_j \le w_{min}\}}{d}, \quad \frac{\#\{j : w_j \ge w_{max}\}}{d}

    Where most weights are pinned, they tell components apart no more: the penalty is a plain L1
    penalty of another strength.

    Parameters
    ----------
    weights : array-like of shape (n_components,)
        Weights as they were clipped. The estimators of the library divide theirs by a mean after
        that (`normalize_weights`), and know the share themselves: `pinned_share_`.
    low, high : float
        Bounds, `weight_min` and `weight_max`: ``0 <= low <= high``.
    rtol : float, default=1e-6
        Relative distance from a bound that counts as none.

    Returns
    -------
    share : PinnedShare
        `low`, `high` and `total`, each between 0 and 1.

    Raises
    ------
    TypeError
        If a bound or `rtol` is not a number.
    ValueError
        If `weights` is not a vector of at least one finite number, one of them is negative, the
        bounds are not in order, or `rtol` is no share.

    References
    ----------
    Feature Starvation as Geometric Instability in Sparse Autoencoders (2026).
    :arxiv:`2605.05341`.

    Examples
    --------
    >>> from sklearn_aensae.theory import pinned_share
    >>> pinned_share([0.1, 1.0, 10.0, 10.0], 0.1, 10.0)
    PinnedShare(low=0.25, high=0.5, total=0.75)
    """
    w = _check_vector(weights, "weights")
    for name, value in (("low", low), ("high", high)):
        check_number(value, name, Real)
    if not 0 <= low <= high < np.inf:
        raise ValueError(f"low and high must satisfy 0 <= low <= high; got {low!r} and {high!r}.")
    check_number(rtol, "rtol", Real, min_val=0, max_val=1)
    at_low, at_high = w <= low * (1 + rtol), w >= high * (1 - rtol)
    return PinnedShare(
        float(at_low.mean()), float(at_high.mean()), float((at_low | at_high).mean())
    )


def _check_vector(vector: npt.ArrayLike, name: str) -> Floats:
    """Return a vector of finite numbers that are not negative."""
    try:
        array: Floats = np.asarray(vector, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a vector of numbers; got {vector!r}.") from error
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError(
            f"{name} must be a vector of at least one finite number; got shape {array.shape}."
        )
    if array.min() < 0:
        raise ValueError(f"{name} must not be negative; its least entry is {array.min():g}.")
    return array
