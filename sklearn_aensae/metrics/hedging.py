"""Feature hedging: how much of the old atoms belongs to new ones once a dictionary has grown."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_aensae._numbers import check_number, random_numbers
from sklearn_aensae.metrics._arrays import Array, check_rows, unit_rows

__all__ = ["hedging_degree"]


def hedging_degree(
    components: Array,
    extended_components: Array,
    *,
    n_draws: int = 50,
    random_state: int | np.random.RandomState | None = 0,
) -> float:
    r"""Measure how far old atoms move along new ones that were added in further training.

    An autoencoder with fewer components than the data have features mixes features that occur
    together into one atom: it hedges. Given more components, it trains on, and old atoms lose
    what the new ones hold now. With unit atoms :math:`d_j` before and :math:`d'_j` after, and
    P the projection on the span of the N new atoms,

    .. math::
        p = \frac1F \sum_{j=1}^{F} \lVert P (d'_j - d_j) \rVert, \qquad
        \mathrm{hedging} = \max\Big(0, \frac{p - p_0}{1 - p_0}\Big)

    where :math:`p_0` is the mean of p for N random Gaussian directions in the place of the
    new atoms: what any movement would give.

    Parameters
    ----------
    components : array-like or tensor of shape (n_components, n_features)
        Atoms as rows, of any length, before.
    extended_components : array-like or tensor of shape (n_components + n_new, n_features)
        Atoms after: the old ones first, in the same order, then the new ones.
    n_draws : int, default=50
        Sets of random directions behind :math:`p_0`.
    random_state : int, RandomState instance or None, default=0
        Of these directions.

    Returns
    -------
    degree : float
        0 where the old atoms stay, or move along the new ones no more than along others.

    Raises
    ------
    TypeError
        If `n_draws` is no integer.
    ValueError
        If an array is not two-dimensional, is empty, holds NaN or infinity; if the two differ
        in `n_features`, or nothing was added; if the new atoms span the whole space, in which
        every movement lies; if `n_draws` is less than 1; or if `random_state` cannot be a seed.

    References
    ----------
    Chanin, Dulka and Garriga-Alonso (2025). Feature hedging: correlated features break narrow
    sparse autoencoders. :arxiv:`2505.11756`.

    Examples
    --------
    The old atom holds a parent and a bit of its child, until there is an atom for the child:

    >>> from sklearn_aensae.metrics import hedging_degree
    >>> before = [[0.8, 0.6, 0.0, 0.0]]
    >>> after = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]
    >>> round(hedging_degree(before, after), 2)
    0.44
    """
    check_number(n_draws, "n_draws", Integral, min_val=1)
    old = check_rows(components, "components")
    extended = check_rows(extended_components, "extended_components")
    n_old, n_features = old.shape
    if extended.shape[0] <= n_old or extended.shape[1] != n_features:
        raise ValueError(
            f"extended_components must have {n_features} columns and more than {n_old} rows, "
            f"those of components and new ones; got {extended.shape}."
        )
    old, extended = unit_rows(old), unit_rows(extended)
    movement = extended[:n_old] - old
    _, lengths, directions = np.linalg.svd(extended[n_old:], full_matrices=False)
    span = directions[lengths > n_features * np.finfo(np.float64).eps * lengths.max()]
    if len(span) == n_features:
        raise ValueError(
            f"The new atoms span all {n_features} features, so that every movement lies along "
            "them: add fewer."
        )
    rng = random_numbers(random_state)
    draws = (np.linalg.qr(rng.normal(size=(n_features, len(span))))[0] for _ in range(n_draws))
    chance = float(np.mean([_mean_norm(movement @ draw) for draw in draws]))
    along = _mean_norm(movement @ span.T)
    return (along - chance) / (1 - chance) if along > chance and chance < 1 else 0.0


def _mean_norm(rows: npt.NDArray[Any]) -> float:
    """Mean length of rows."""
    return float(np.linalg.norm(rows, axis=1).mean())
