"""How far the codes of a fitted estimator move when rows move: measured."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy import sparse

from sklearn_aensae._numbers import check_number, random_numbers
from sklearn_aensae.metrics._arrays import Array, check_rows
from sklearn_aensae.theory._arguments import Floats

__all__ = ["EmpiricalLipschitz", "empirical_lipschitz"]


@dataclass(frozen=True)
class EmpiricalLipschitz:
    """What :func:`empirical_lipschitz` finds."""

    max: float
    """Largest ratio: a lower bound of the Lipschitz constant."""

    mean: float
    """Mean ratio."""

    ratios: Floats
    """Ratio of each row and perturbation, shape (n_samples, n_perturbations)."""

    def quantile(self, q: float | Sequence[float] | Floats) -> Any:
        """Quantiles of the ratios.

        Parameters
        ----------
        q : float or array-like of float
            Between 0 and 1.

        Returns
        -------
        quantile : float or ndarray
            One for each of `q`.
        """
        return np.quantile(self.ratios, q)


def empirical_lipschitz(
    estimator: Any,
    X: Array,
    *,
    scale: float = 1e-3,
    n_perturbations: int = 8,
    directions: Array | None = None,
    method: str | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> EmpiricalLipschitz:
    r"""Move rows a little, and measure how far their codes move.

    .. math:: \frac{\lVert h(x + e) - h(x) \rVert}{\lVert e \rVert}, \qquad
        \lVert e \rVert = \mathrm{scale} \cdot \sqrt{\mathrm{mean}\, \lVert x \rVert^2}

    for each row and each of some directions of e, the same for all rows. What a random direction
    finds is well below the Lipschitz constant in many dimensions: compare estimators by it, and
    take :func:`lipschitz_bound` and :func:`support_lipschitz` for the worst case.

    Parameters
    ----------
    estimator : object with transform
        Fitted. With float32, codes have rounding errors of their own: keep `scale` at 1e-3 or more.
    X : array-like or tensor of shape (n_samples, n_features)
        Rows.
    scale : float, default=1e-3
        Length of a perturbation, relative to the root mean square norm of the rows.
    n_perturbations : int, default=8
        Number of random directions, uniform on the sphere.
    directions : array-like or tensor of shape (n_perturbations, n_features) or None, default=None
        Directions to take instead, of any length but 0.
    method : {"encoder", "exact"} or None, default=None
        Given to ``estimator.encode(X, method)``; None is ``estimator.transform(X)``.
    random_state : int, RandomState instance or None, default=None
        Of the directions.

    Returns
    -------
    result : EmpiricalLipschitz
        `max`, `mean`, all `ratios` and their `quantile`.

    Raises
    ------
    TypeError
        If `estimator` has no `transform`, or no `encode` where a method is asked for.
    ValueError
        If an array is not two-dimensional and finite, all rows or a direction are 0, shapes do not
        fit, `scale` is not positive or so small that rounding leaves a row in its place,
        `n_perturbations` is less than 1, or `random_state` cannot be a seed.

    References
    ----------
    Feature Starvation as Geometric Instability in Sparse Autoencoders (2026).
    :arxiv:`2605.05341`.

    Examples
    --------
    A projection moves by the share of the perturbation that lies along it:

    >>> import numpy as np
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_aensae.theory import empirical_lipschitz
    >>> X = np.random.default_rng(0).normal(size=(50, 4)) * [4.0, 3.0, 2.0, 1.0]
    >>> pca = PCA(3).fit(X)
    >>> empirical_lipschitz(pca, X, directions=pca.components_).ratios[0].round(6)
    array([1., 1., 1.])
    >>> empirical_lipschitz(pca, X, random_state=0).max < 1
    True
    """
    check_number(scale, "scale", Real, min_val=0, include_boundaries="neither")
    encode = _encoder(estimator, method)
    rows = check_rows(X, "X")
    rows = rows if np.issubdtype(rows.dtype, np.floating) else rows.astype(np.float64)
    size = float(np.sqrt(np.square(rows, dtype=np.float64).sum() / len(rows)))
    if not size:
        raise ValueError("X holds nothing but 0: there is no size that scale could be relative to.")
    if directions is None:
        check_number(n_perturbations, "n_perturbations", Integral, min_val=1)
        drawn = random_numbers(random_state).normal(size=(n_perturbations, rows.shape[1]))
    else:
        drawn = _check_directions(directions, rows.shape[1])
    moves = scale * size * drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    before = encode(X if hasattr(X, "columns") else rows)
    ratios = np.empty((len(rows), len(moves)))
    for column, move in zip(ratios.T, moves, strict=True):
        moved = (rows + move).astype(rows.dtype)
        lengths = np.linalg.norm(np.subtract(moved, rows, dtype=np.float64), axis=1)
        if not lengths.all():
            raise ValueError(
                f"scale={scale:g} is too small for rows of type {rows.dtype}: rounding leaves "
                f"{np.count_nonzero(lengths == 0)} of {len(rows)} in their place."
            )
        column[:] = _distances(encode(moved), before) / lengths
    return EmpiricalLipschitz(float(ratios.max()), float(ratios.mean()), ratios)


def _encoder(estimator: Any, method: str | None) -> Any:
    """Return what gives codes as checked arrays."""
    needed = "transform" if method is None else "encode"
    if not hasattr(estimator, needed):
        asked = "" if method is None else f", which method={method!r} asks for"
        raise TypeError(f"{type(estimator).__name__} has no {needed}{asked}.")

    def encode(rows: Any) -> Any:
        arguments = (rows,) if method is None else (rows, method)
        with warnings.catch_warnings():
            # Rows that have been moved are arrays; names are checked on those as they are.
            warnings.filterwarnings("ignore", ".*does not have valid feature names", UserWarning)
            codes = getattr(estimator, needed)(*arguments)
        return check_rows(codes, "codes", accept_sparse=True)

    return encode


def _check_directions(directions: Array, n_features: int) -> Floats:
    """Return given directions in double precision."""
    given: Floats = np.asarray(check_rows(directions, "directions"), dtype=np.float64)
    if given.shape[1] != n_features or not given.any(axis=1).all():
        raise ValueError(
            f"directions must have {n_features} columns, as X has, and no row of zeros; "
            f"got shape {given.shape}."
        )
    return given


def _distances(after: Any, before: Any) -> Floats:
    """Euclidean distances between codes, row by row."""
    change = after.astype(np.float64) - before.astype(np.float64)
    squares = change.multiply(change) if sparse.issparse(change) else np.square(change)
    distances: Floats = np.sqrt(np.asarray(squares.sum(axis=1)).ravel())
    return distances
