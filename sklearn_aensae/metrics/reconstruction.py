"""How much of the data a reconstruction keeps: explained variance, cosine and shrinkage."""

from __future__ import annotations

from sklearn_aensae.metrics._arrays import Array
from sklearn_aensae.metrics.reconstruction_statistics import ReconstructionStatistics

__all__ = [
    "centered_shrinkage",
    "cosine_similarity",
    "explained_variance",
    "fraction_of_variance_unexplained",
]


def explained_variance(X: Array, X_reconstructed: Array) -> float:
    r"""Share of the variance of `X` that its reconstruction explains.

    .. math:: 1 - \frac{\sum_i \lVert x_i - \hat x_i \rVert^2}{\sum_i \lVert x_i - \bar x \rVert^2}

    with the column means :math:`\bar x` of the rows given. All columns share one denominator: on
    non-constant columns this is ``r2_score(X, X_reconstructed, multioutput="variance_weighted")``
    of scikit-learn, so a constant offset of the reconstruction counts as error.

    Parameters
    ----------
    X, X_reconstructed : array-like or tensor of shape (n_samples, n_features)
        Data and their reconstruction, in the same units.

    Returns
    -------
    explained_variance : float
        At most 1. Of constant data: 1 if the reconstruction is exact and 0 otherwise.

    Raises
    ------
    ValueError
        If an array is not two-dimensional, is empty, holds NaN or infinity, or the shapes differ.

    See Also
    --------
    ReconstructionStatistics : The same for data that arrive in batches.

    Examples
    --------
    >>> from sklearn_aensae.metrics import explained_variance
    >>> explained_variance([[0.0, 1.0], [2.0, 3.0]], [[0.0, 1.0], [2.0, 2.0]])
    0.75
    """
    return ReconstructionStatistics().update(X, X_reconstructed).explained_variance


def fraction_of_variance_unexplained(X: Array, X_reconstructed: Array) -> float:
    """One minus :func:`explained_variance`, also called FVU.

    Parameters
    ----------
    X, X_reconstructed : array-like or tensor of shape (n_samples, n_features)
        Data and their reconstruction, in the same units.

    Returns
    -------
    fraction : float
        At least 0. Of constant data: 0 if the reconstruction is exact and 1 otherwise.

    Raises
    ------
    ValueError
        If an array is not two-dimensional, is empty, holds NaN or infinity, or the shapes differ.

    Examples
    --------
    >>> from sklearn_aensae.metrics import fraction_of_variance_unexplained
    >>> fraction_of_variance_unexplained([[0.0, 1.0], [2.0, 3.0]], [[0.0, 1.0], [2.0, 2.0]])
    0.25
    """
    return ReconstructionStatistics().update(X, X_reconstructed).fraction_of_variance_unexplained


def cosine_similarity(X: Array, X_reconstructed: Array) -> float:
    r"""Mean cosine between a row and its reconstruction.

    .. math:: \frac1n \sum_i \frac{\langle x_i, \hat x_i \rangle}{\lVert x_i \rVert
        \lVert \hat x_i \rVert}

    Parameters
    ----------
    X, X_reconstructed : array-like or tensor of shape (n_samples, n_features)
        Data and their reconstruction, in the same units.

    Returns
    -------
    cosine : float
        Between -1 and 1. A row counts 1 if it and its reconstruction are zero, and 0 if only one
        of them is.

    Raises
    ------
    ValueError
        If an array is not two-dimensional, is empty, holds NaN or infinity, or the shapes differ.

    Examples
    --------
    >>> from sklearn_aensae.metrics import cosine_similarity
    >>> cosine_similarity([[1.0, 0.0], [0.0, 2.0]], [[3.0, 0.0], [1.0, 0.0]])
    0.5
    """
    return ReconstructionStatistics().update(X, X_reconstructed).cosine_similarity


def centered_shrinkage(X: Array, X_reconstructed: Array) -> float:
    r"""Slope of the centred reconstruction on the centred data.

    .. math:: \frac{\sum_i \langle x_i - \bar x, \hat x_i - \bar{\hat x} \rangle}
        {\sum_i \lVert x_i - \bar x \rVert^2}

    Without the centring, a large mean that the decoder's bias reproduces would hide that the
    codes shrink.

    Parameters
    ----------
    X, X_reconstructed : array-like or tensor of shape (n_samples, n_features)
        Data and their reconstruction, in the same units.

    Returns
    -------
    slope : float
        1 means no shrinkage, 0.8 that a fifth of the signal is lost. NaN if `X` is constant,
        since there is no signal that could shrink.

    Raises
    ------
    ValueError
        If an array is not two-dimensional, is empty, holds NaN or infinity, or the shapes differ.

    Examples
    --------
    >>> from sklearn_aensae.metrics import centered_shrinkage
    >>> centered_shrinkage([[99.0], [101.0]], [[99.5], [100.5]])
    0.5
    """
    return ReconstructionStatistics().update(X, X_reconstructed).centered_shrinkage
