"""Running sums from which every reconstruction metric is computed, whatever the batch size."""

from typing import Any, Self

import numpy as np

from sklearn_aensae.metrics._arrays import Array, check_rows, check_seen, check_width, row_batches

__all__ = ["ReconstructionStatistics"]


class ReconstructionStatistics:
    r"""Reconstruction metrics of data that arrives in batches.

    Sums are kept in float64. Moments about the mean are merged batch by batch [1]_, and every row
    is shifted by the first one: data with a huge mean lose no digits, float16 data do not
    overflow, and constant data have a variance of exactly 0.

    Attributes
    ----------
    n_samples : int
        Rows seen so far.

    See Also
    --------
    explained_variance, cosine_similarity, centered_shrinkage : The same for arrays at hand.

    References
    ----------
    .. [1] Chan, Golub & LeVeque (1983). Algorithms for computing the sample variance.
       The American Statistician 37(3), equations 2.1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aensae.metrics import ReconstructionStatistics
    >>> statistics = ReconstructionStatistics()
    >>> for start in (0.0, 4.0):
    ...     X = start + np.arange(4.0).reshape(2, 2)
    ...     statistics = statistics.update(X, X + 0.5)
    >>> statistics.n_samples, statistics.explained_variance
    (4, 0.95)
    """

    def __init__(self) -> None:
        self.n_samples = 0
        self._squared_error = self._cosine_sum = 0.0
        self._variation = self._covariation = 0.0

    def update(self, X: Array, X_reconstructed: Array) -> Self:
        """Add rows.

        Parameters
        ----------
        X, X_reconstructed : array-like or tensor of shape (n_samples, n_features)
            Data and their reconstruction, in the same units.

        Returns
        -------
        self : ReconstructionStatistics
            The object itself.

        Raises
        ------
        ValueError
            If an array is not two-dimensional, is empty, holds NaN or infinity, or if the shapes
            differ from one another or from earlier batches.
        """
        data = check_rows(X, "X")
        reconstruction = check_rows(X_reconstructed, "X_reconstructed")
        if data.shape != reconstruction.shape:
            raise ValueError(
                "X and X_reconstructed must have the same shape, "
                f"got {data.shape} and {reconstruction.shape}."
            )
        if self.n_samples == 0:
            self._origin = data[0].astype(np.float64)
            self._mean = self._mean_reconstructed = np.zeros_like(self._origin)
        check_width("X", data.shape[1], self._origin.size)
        for rows in row_batches(data):
            self._merge(data[rows].astype(np.float64), reconstruction[rows].astype(np.float64))
        return self

    def _merge(self, x: Any, xhat: Any) -> None:
        """Add float64 rows `x` and `xhat`, both of which are overwritten."""
        error = x - xhat
        self._squared_error += float(_row_dots(error, error).sum())
        self._cosine_sum += float(_row_cosines(x, xhat).sum())
        x -= self._origin
        xhat -= self._origin
        mean, mean_reconstructed = x.mean(axis=0), xhat.mean(axis=0)
        x -= mean
        xhat -= mean_reconstructed
        n_total = self.n_samples + len(x)
        weight = len(x) / n_total
        between = self.n_samples * weight
        step, step_reconstructed = mean - self._mean, mean_reconstructed - self._mean_reconstructed
        self._variation += float(_row_dots(x, x).sum() + between * (step @ step))
        self._covariation += float(_row_dots(x, xhat).sum() + between * (step @ step_reconstructed))
        self._mean = self._mean + weight * step
        self._mean_reconstructed = self._mean_reconstructed + weight * step_reconstructed
        self.n_samples = n_total

    @property
    def fraction_of_variance_unexplained(self) -> float:
        """Squared error over the squared deviation from the column means."""
        check_seen(self.n_samples)
        if self._variation == 0.0:
            return float(self._squared_error > 0.0)
        return self._squared_error / self._variation

    @property
    def explained_variance(self) -> float:
        """One minus the fraction of variance unexplained."""
        return 1.0 - self.fraction_of_variance_unexplained

    @property
    def cosine_similarity(self) -> float:
        """Mean cosine between a row and its reconstruction."""
        check_seen(self.n_samples)
        return self._cosine_sum / self.n_samples

    @property
    def centered_shrinkage(self) -> float:
        """Slope of the centred reconstruction on the centred data."""
        check_seen(self.n_samples)
        return self._covariation / self._variation if self._variation > 0.0 else float("nan")


def _row_cosines(x: Any, xhat: Any) -> Any:
    """Cosine of each row pair: 1 if both rows are zero, 0 if only one is."""
    norm, norm_reconstructed = np.sqrt(_row_dots(x, x)), np.sqrt(_row_dots(xhat, xhat))
    product = norm * norm_reconstructed
    both_zero = (norm == 0.0) & (norm_reconstructed == 0.0)
    return np.divide(
        _row_dots(x, xhat), product, out=both_zero.astype(np.float64), where=product > 0.0
    )


def _row_dots(a: Any, b: Any) -> Any:
    """Inner product of each row pair, without BLAS: its threads cost more than they save here."""
    return np.einsum("ij,ij->i", a, b)
