"""Atoms and a bias for given codes: ridge regression by normal equations, streamed."""

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

__all__ = ["NormalEquations"]

Floats = NDArray[np.float64]

DENSE = 0.05
"""Share of active codes from which a dense product of them is faster than a sparse one."""

PAIRS = 2**21
"""Pairs of active codes whose products are in memory at a time, beside the sum of all."""

CUTOFF = 1e-12
"""Eigenvalues below this share of the largest are taken for rounding."""


class NormalEquations:
    r"""What is to be added to atoms D and a bias b, so that they fit given codes better.

    .. math::
        \min_{\Delta, \delta} \sum_i \lVert r_i - \Delta^\top h_i - u_i \delta \rVert^2
            + \rho \sum_j m_j \lVert \Delta_j \rVert^2

    for residuals :math:`r = x - D^\top h - u b`, with the mean :math:`m_j` of the squared codes of
    component j over the rows where it is active: the present atom weighs as much as
    :math:`\rho` such rows. As 0 is feasible, the squared error never rises; a component that is
    never active keeps its atom. The result does not depend on the unit of any code, nor on that of
    any column.

    Holds 8 (n_components + 1)^2 bytes, as much again for dense codes and to solve with a ridge,
    and twice as much again to solve without one.

    Parameters
    ----------
    n_components, n_outputs : int
        Sizes of the code and of what is reconstructed.
    """

    def __init__(self, n_components: int, n_outputs: int) -> None:
        self.gram = np.zeros((n_components + 1, n_components + 1))
        self.moments = np.zeros((n_components + 1, n_outputs))
        self.counts = np.zeros(n_components)

    def add(self, codes: sparse.csr_array, shares: Floats, residuals: Floats) -> None:
        """Take in rows.

        Parameters
        ----------
        codes : csr_array of shape (batch, n_components)
            Codes.
        shares : ndarray of shape (batch, 1)
            u, how much of the bias is in each row.
        residuals : ndarray of shape (batch, n_outputs)
            What D and b leave over.
        """
        codes = sparse.hstack([codes.astype(np.float64), sparse.csr_array(shares)], format="csr")
        self.counts += np.bincount(codes.indices, minlength=len(self.gram))[:-1]
        if codes.nnz > DENSE * codes.shape[0] * codes.shape[1]:
            dense = codes.toarray()
            self.gram += dense.T @ dense
        else:
            n_pairs = int((np.diff(codes.indptr).astype(np.int64) ** 2).sum())
            size = max(1, codes.shape[0] * PAIRS // max(n_pairs, PAIRS))
            for start in range(0, codes.shape[0], size):
                rows = codes[start : start + size]
                product = (rows.T @ rows).tocoo()
                self.gram[product.row, product.col] += product.data
        self.moments += codes.T @ residuals

    def solve(self, ridge: float) -> tuple[Floats, Floats]:
        r"""Return what to add to the atoms and to the bias.

        Parameters
        ----------
        ridge : float
            :math:`\rho`. With 0, the smallest change among those that fit best.

        Returns
        -------
        atoms : ndarray of shape (n_components, n_outputs)
            :math:`\Delta`.
        bias : ndarray of shape (n_outputs,)
            :math:`\delta`.
        """
        weights = self.gram.diagonal()
        # Of the bias, there is nothing to tell where the shares of all rows are 0.
        used = np.flatnonzero(weights > 0)
        solution = np.zeros_like(self.moments)
        if not len(used):
            return solution[:-1], solution[-1]
        scale = np.sqrt(weights[used])
        matrix = self.gram[np.ix_(used, used)]
        # With a unit diagonal, a ridge of m_j is one over the number of rows.
        matrix /= scale
        matrix /= scale[:, None]
        ridges = ridge / self.counts[used[used < len(self.counts)]]
        matrix[np.arange(len(ridges)), np.arange(len(ridges))] += ridges
        is_regular = len(ridges) == 0 or ridges.min() > len(used) * CUTOFF
        wanted = self.moments[used] / scale[:, None]
        found = _solve_regular(matrix, wanted) if is_regular else _solve_any(matrix, wanted)
        solution[used] = found / scale[:, None]
        return solution[:-1], solution[-1]


def _solve_regular(matrix: Floats, wanted: Floats) -> Floats:
    """Solve a positive definite system, in its memory."""
    # Of a symmetric matrix, the transpose is what LAPACK takes without a copy.
    factor = linalg.cho_factor(matrix.T, lower=True, overwrite_a=True, check_finite=False)
    solution: Floats = linalg.cho_solve(factor, wanted, check_finite=False)
    return solution


def _solve_any(matrix: Floats, wanted: Floats) -> Floats:
    """Return the smallest solution of a positive semidefinite system."""
    values, vectors = linalg.eigh(matrix.T, overwrite_a=True, check_finite=False)
    keep = values > CUTOFF * values[-1]
    vectors = vectors[:, keep]
    solution: Floats = vectors @ ((vectors.T @ wanted) / values[keep, None])
    return solution
