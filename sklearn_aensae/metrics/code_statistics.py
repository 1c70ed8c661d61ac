"""Running counts from which every sparsity metric is computed, whatever the batch size."""

from numbers import Integral
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from sklearn_aensae._numbers import check_number
from sklearn_aensae.metrics._arrays import (
    CodeArray,
    active_set,
    check_rows,
    check_seen,
    check_width,
    row_batches,
)

__all__ = ["CodeStatistics"]


class CodeStatistics:
    """Sparsity metrics of codes that arrive in batches.

    A code is active where it is not zero.

    Attributes
    ----------
    n_samples : int
        Rows seen so far.

    See Also
    --------
    l0, l1, feature_density, dead_share : The same for codes at hand.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aensae.metrics import CodeStatistics
    >>> statistics = CodeStatistics()
    >>> for batch in np.array([[[2.0, 0.0, 0.0]], [[1.0, 3.0, 0.0]]]):
    ...     statistics = statistics.update(batch)
    >>> statistics.n_samples, statistics.l0, statistics.l1
    (2, 1.5, 3.0)
    >>> statistics.feature_density
    array([1. , 0.5, 0. ])
    """

    def __init__(self) -> None:
        self.n_samples = 0
        self._absolute_sum = 0.0

    def update(self, codes: CodeArray) -> Self:
        """Add rows.

        Parameters
        ----------
        codes : array-like, tensor or sparse matrix of shape (n_samples, n_components)
            Codes; CSR is read as it is, stored zeros are not active.

        Returns
        -------
        self : CodeStatistics
            The object itself.

        Raises
        ------
        ValueError
            If `codes` is not two-dimensional, is empty, holds NaN or infinity, or is not as wide
            as earlier batches.
        """
        codes = check_rows(codes, "codes", accept_sparse=True)
        if self.n_samples == 0:
            self._counts = np.zeros(codes.shape[1], dtype=np.int64)
            self._last_active = np.zeros(codes.shape[1], dtype=np.int64)
        check_width("codes", codes.shape[1], self._counts.size)
        for rows in row_batches(codes):
            self._merge(active_set(codes[rows]))
        return self

    def _merge(self, codes: Any) -> None:
        """Add the active set of some rows."""
        self._counts += np.bincount(codes.indices, minlength=self._counts.size)
        self._absolute_sum += float(np.abs(codes.data.astype(np.float64)).sum())
        row_numbers = np.arange(self.n_samples + 1, self.n_samples + codes.shape[0] + 1)
        # Where a component is active in several rows, NumPy keeps the last assignment.
        self._last_active[codes.indices] = np.repeat(row_numbers, np.diff(codes.indptr))
        self.n_samples += codes.shape[0]

    @property
    def l0(self) -> float:
        """Mean number of active codes per row."""
        check_seen(self.n_samples)
        return float(self._counts.sum() / self.n_samples)

    @property
    def l1(self) -> float:
        """Mean sum of absolute codes per row."""
        check_seen(self.n_samples)
        return self._absolute_sum / self.n_samples

    @property
    def feature_density(self) -> npt.NDArray[np.float64]:
        """Share of the rows in which each component is active."""
        check_seen(self.n_samples)
        return self._counts / self.n_samples

    def dead_share(self, n_samples: int | None = None) -> float:
        """Share of the components that are silent in all of the last `n_samples` rows.

        Parameters
        ----------
        n_samples : int, optional
            Rows to look back on, at most those seen; all of them by default.

        Returns
        -------
        share : float
            Between 0 and 1.

        Raises
        ------
        TypeError
            If `n_samples` is not an integer.
        ValueError
            If `n_samples` is not positive, or is larger than the number of rows seen.
        """
        check_seen(self.n_samples)
        if n_samples is None:
            n_samples = self.n_samples
        check_number(n_samples, "n_samples", Integral, min_val=1)
        if n_samples > self.n_samples:
            raise ValueError(
                f"n_samples={n_samples} rows were asked for, but only {self.n_samples} were given."
            )
        return float(np.mean(self._last_active <= self.n_samples - n_samples))
