"""How sparse codes are, how often each component fires, and how many never do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sklearn_aensae.metrics._arrays import CodeArray
from sklearn_aensae.metrics.code_statistics import CodeStatistics

__all__ = ["dead_share", "feature_density", "l0", "l1"]


def l0(codes: CodeArray) -> float:
    """Mean number of active codes per row.

    Parameters
    ----------
    codes : array-like, tensor or sparse matrix of shape (n_samples, n_components)
        Codes; one is active where it is not zero.

    Returns
    -------
    l0 : float
        Between 0 and `n_components`.

    Raises
    ------
    ValueError
        If `codes` is not two-dimensional, is empty, or holds NaN or infinity.

    See Also
    --------
    CodeStatistics : The same for codes that arrive in batches.

    Examples
    --------
    >>> from sklearn_aensae.metrics import l0
    >>> l0([[2.0, 0.0, 0.0], [1.0, 3.0, 0.0]])
    1.5
    """
    return CodeStatistics().update(codes).l0


def l1(codes: CodeArray) -> float:
    """Mean sum of absolute codes per row.

    Parameters
    ----------
    codes : array-like, tensor or sparse matrix of shape (n_samples, n_components)
        Codes.

    Returns
    -------
    l1 : float
        At least 0, in the units of the codes.

    Raises
    ------
    ValueError
        If `codes` is not two-dimensional, is empty, or holds NaN or infinity.

    Examples
    --------
    >>> from sklearn_aensae.metrics import l1
    >>> l1([[2.0, 0.0, 0.0], [1.0, 3.0, 0.0]])
    3.0
    """
    return CodeStatistics().update(codes).l1


def feature_density(codes: CodeArray) -> npt.NDArray[np.float64]:
    """Share of the rows in which each component is active.

    Parameters
    ----------
    codes : array-like, tensor or sparse matrix of shape (n_samples, n_components)
        Codes; one is active where it is not zero.

    Returns
    -------
    density : ndarray of shape (n_components,)
        Between 0 and 1.

    Raises
    ------
    ValueError
        If `codes` is not two-dimensional, is empty, or holds NaN or infinity.

    Examples
    --------
    >>> from sklearn_aensae.metrics import feature_density
    >>> feature_density([[2.0, 0.0, 0.0], [1.0, 3.0, 0.0]])
    array([1. , 0.5, 0. ])
    """
    return CodeStatistics().update(codes).feature_density


def dead_share(codes: CodeArray, *, n_samples: int | None = None) -> float:
    """Share of the components that are silent in all of the last `n_samples` rows.

    The share falls as more rows are looked at: it says nothing unless `n_samples` is quoted with
    it, and two shares compare only over the same number of rows.

    Parameters
    ----------
    codes : array-like, tensor or sparse matrix of shape (n_rows, n_components)
        Codes; one is active where it is not zero.
    n_samples : int, optional
        Rows to look at, the last ones of `codes`; all of them by default.

    Returns
    -------
    share : float
        Between 0 and 1.

    Raises
    ------
    TypeError
        If `n_samples` is not an integer.
    ValueError
        If `codes` is not two-dimensional, is empty, or holds NaN or infinity, or has fewer rows
        than `n_samples`.

    Examples
    --------
    >>> from sklearn_aensae.metrics import dead_share
    >>> codes = [[0.0, 3.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0]]
    >>> dead_share(codes), dead_share(codes, n_samples=1)
    (0.5, 0.75)
    """
    return CodeStatistics().update(codes).dead_share(n_samples)
