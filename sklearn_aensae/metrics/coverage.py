"""How often a component's parent is active where the component is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from sklearn_aensae.metrics._arrays import CodeArray, active_set, check_rows, row_batches

__all__ = ["parent_coverage"]


def parent_coverage(codes: CodeArray, parents: npt.ArrayLike) -> npt.NDArray[np.float64]:
    r"""Share of a component's active rows in which its parent is active, too.

    .. math:: S_{cov}(p, c) = P(z_p \ne 0 \mid z_c \ne 0)

    It is 1 for every child of a :class:`TreeSAE <sklearn_aensae.TreeSAE>`. Of other codes it says
    whether a supposed pair of a general and a special feature is one, or whether the special one
    has absorbed the general one.

    Parameters
    ----------
    codes : array-like, tensor or sparse matrix of shape (n_samples, n_components)
        Codes; one is active where it is not zero.
    parents : array-like of int of shape (n_components,)
        Parent of each component; -1 for the root, which is always active.

    Returns
    -------
    coverage : ndarray of shape (n_components,)
        Between 0 and 1; NaN for a component that is never active.

    Raises
    ------
    ValueError
        If `codes` is not two-dimensional, is empty, or holds NaN or infinity, or if `parents` does
        not name one component, or -1, for each component.

    References
    ----------
    Cao et al. (2026). Tree SAE. :arxiv:`2605.07922`.

    Examples
    --------
    >>> from sklearn_aensae.metrics import parent_coverage
    >>> parent_coverage([[1.0, 2.0], [0.0, 3.0], [1.0, 0.0]], [-1, 0])
    array([1. , 0.5])
    """
    codes = check_rows(codes, "codes", accept_sparse=True)
    n_components = codes.shape[1]
    parents = np.asarray(parents)
    if parents.shape != (n_components,) or parents.dtype.kind not in "iu":
        raise ValueError(
            f"parents must be {n_components} integers, one for each component; got shape "
            f"{parents.shape} and dtype {parents.dtype}."
        )
    if parents.min() < -1 or parents.max() >= n_components:
        raise ValueError(
            f"parents must be -1 or in [0, {n_components - 1}]; got values from {parents.min()} to "
            f"{parents.max()}."
        )
    n_active, n_covered = np.zeros((2, n_components), dtype=np.int64)
    for rows in row_batches(codes):
        support = active_set(codes[rows])
        support.data = np.ones_like(support.data, dtype=np.int64)
        n_active += support.sum(axis=0)
        n_covered += _with_root(support)[:, parents + 1].multiply(support).sum(axis=0)
    with np.errstate(invalid="ignore"):
        coverage: npt.NDArray[np.float64] = n_covered / n_active
    return coverage


def _with_root(support: sparse.csr_array) -> sparse.csr_array:
    """Put a column of ones before those of the components."""
    root = sparse.csr_array(np.ones((support.shape[0], 1), dtype=np.int64))
    return sparse.hstack([root, support], format="csr")
