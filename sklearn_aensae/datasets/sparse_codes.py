"""Synthetic data from non-negative sparse codes and a random dictionary."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from sklearn_aensae._numbers import random_numbers
from sklearn_aensae.datasets._sampling import draw_directions, draw_samples

__all__ = ["make_sparse_codes"]


def make_sparse_codes(
    n_samples: int = 1000,
    n_features: int = 32,
    n_components: int = 64,
    *,
    n_active: int = 4,
    noise_std: float = 0.0,
    signed: bool = False,
    dtype: npt.DTypeLike = np.float64,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[npt.NDArray[Any], sparse.csr_array, npt.NDArray[Any]]:
    r"""Generate data as sparse combinations of random unit atoms.

    .. math:: X = Z D + \varepsilon, \qquad \varepsilon_{ij} \sim \mathcal{N}(0, \sigma^2)

    The rows of :math:`D` are uniform on the unit sphere. Each row of :math:`Z` has exactly
    `n_active` entries, at a uniformly drawn subset of the components, with magnitudes uniform in
    [1, 3].

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_features : int, default=32
        Number of columns of the data.
    n_components : int, default=64
        Number of atoms; more than `n_features` makes the dictionary overcomplete.
    n_active : int, default=4
        Active codes per row, at most `n_components`.
    noise_std : float, default=0.0
        Standard deviation of the Gaussian noise on every entry of the data.
    signed : bool, default=False
        Whether codes have random signs; otherwise they are positive.
    dtype : {numpy.float64, numpy.float32}, default=numpy.float64
        Data type of everything returned.
    random_state : int, RandomState instance or None, default=None
        An int gives the same data at every call.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        Data.
    codes : scipy.sparse.csr_array of shape (n_samples, n_components)
        True codes :math:`Z`, whatever the size; ``codes.toarray()`` is dense.
    dictionary : ndarray of shape (n_components, n_features)
        True atoms :math:`D` as rows of unit length.

    Raises
    ------
    TypeError
        If a size is not an integer.
    ValueError
        If a size is not positive, `n_active` is larger than `n_components`, `noise_std` is
        negative, `dtype` is neither float64 nor float32, or `random_state` cannot be a seed.

    See Also
    --------
    make_spiked_dictionary : Atoms that share a direction.
    sklearn.datasets.make_sparse_coded_signal : Gaussian codes of either sign.

    Examples
    --------
    >>> from sklearn_aensae.datasets import make_sparse_codes
    >>> X, codes, dictionary = make_sparse_codes(100, 8, 16, n_active=2, random_state=0)
    >>> X.shape, codes.shape, dictionary.shape
    ((100, 8), (100, 16), (16, 8))
    >>> codes.nnz
    200
    """
    rng = random_numbers(random_state)
    return draw_samples(
        rng,
        n_samples,
        draw_directions(rng, n_components, n_features),
        n_active=n_active,
        noise_std=noise_std,
        signed=signed,
        dtype=dtype,
    )
