"""Linear generative model that the synthetic data sets share: sparse codes times a dictionary."""

from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.preprocessing import normalize
from sklearn.utils import gen_batches

from sklearn_aensae._numbers import check_number

# Code magnitudes of the sparse coding experiments of arXiv 2605.05341.
_SMALLEST, _LARGEST = 1.0, 3.0


def draw_directions(
    rng: np.random.RandomState, n_directions: int, n_features: int
) -> npt.NDArray[np.float64]:
    """Draw directions uniformly from the unit sphere, as rows."""
    check_number(n_directions, "n_components", Integral, min_val=1)
    check_number(n_features, "n_features", Integral, min_val=1)
    directions: npt.NDArray[np.float64] = normalize(rng.normal(size=(n_directions, n_features)))
    return directions


def draw_samples(
    rng: np.random.RandomState,
    n_samples: int,
    dictionary: npt.NDArray[np.float64],
    *,
    n_active: int,
    noise_std: float,
    signed: bool,
    dtype: npt.DTypeLike,
) -> tuple[npt.NDArray[Any], sparse.csr_array, npt.NDArray[Any]]:
    """Draw codes; return their noisy products with the dictionary, the codes, the dictionary."""
    codes = draw_codes(rng, n_samples, len(dictionary), n_active=n_active, signed=signed)
    return mix(rng, codes, dictionary, noise_std=noise_std, dtype=dtype)


def mix(
    rng: np.random.RandomState,
    codes: sparse.csr_array,
    dictionary: npt.NDArray[np.float64],
    *,
    noise_std: float,
    dtype: npt.DTypeLike,
) -> tuple[npt.NDArray[Any], sparse.csr_array, npt.NDArray[Any]]:
    """Return noisy products of codes with a dictionary, the codes, the dictionary."""
    dtype = np.dtype(dtype)
    if dtype not in (np.float64, np.float32):
        raise ValueError(f"dtype must be float64 or float32, got {dtype}.")
    if not isinstance(noise_std, Real) or not 0.0 <= noise_std < np.inf:
        raise ValueError(f"noise_std must be finite and not negative, got {noise_std!r}.")
    codes, dictionary = codes.astype(dtype), dictionary.astype(dtype)
    X = codes @ dictionary
    if noise_std > 0.0:
        # Noise is drawn in float64: in batches it takes little memory beside X.
        for rows in gen_batches(len(X), 65536):
            X[rows] += rng.normal(scale=noise_std, size=X[rows].shape)
    return X, codes, dictionary


def draw_codes(
    rng: np.random.RandomState, n_samples: int, n_components: int, *, n_active: int, signed: bool
) -> sparse.csr_array:
    """Draw codes with exactly `n_active` entries per row, uniform in place and in magnitude."""
    check_number(n_samples, "n_samples", Integral, min_val=1)
    check_number(n_active, "n_active", Integral, min_val=1, max_val=n_components)
    supports = _draw_supports(rng, n_samples, n_components, n_active)
    values = draw_magnitudes(rng, supports.size)
    if signed:
        values *= rng.choice([-1.0, 1.0], size=values.size)
    row_starts = np.arange(0, supports.size + 1, n_active)
    shape = (n_samples, n_components)
    return sparse.csr_array((values, supports.ravel(), row_starts), shape=shape)


def draw_magnitudes(rng: np.random.RandomState, size: int) -> npt.NDArray[np.float64]:
    """Draw the sizes of active codes."""
    magnitudes: npt.NDArray[np.float64] = rng.uniform(_SMALLEST, _LARGEST, size=size)
    return magnitudes


def _draw_supports(
    rng: np.random.RandomState, n_samples: int, n_components: int, n_active: int
) -> npt.NDArray[np.int32]:
    """Draw uniform subsets, one sorted row each, by Floyd's algorithm on all rows at once.

    Bentley & Floyd (1987). A sample of brilliance. Communications of the ACM 30(9): the cost
    depends on `n_active` alone, and no draw is ever rejected.
    """
    chosen = np.empty((n_active, n_samples), dtype=np.int32)
    for i, last in enumerate(range(n_components - n_active, n_components)):
        candidate = rng.randint(0, last + 1, size=n_samples, dtype=np.int32)
        is_taken = (chosen[:i] == candidate).any(axis=0)
        chosen[i] = np.where(is_taken, last, candidate)
    return np.sort(chosen.T, axis=1)
