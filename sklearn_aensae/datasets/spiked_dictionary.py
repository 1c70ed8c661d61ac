"""Synthetic data whose atoms all lean towards one direction."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.preprocessing import normalize

from sklearn_aensae._numbers import random_numbers
from sklearn_aensae.datasets._sampling import draw_directions, draw_samples

__all__ = ["make_spiked_dictionary"]


def make_spiked_dictionary(
    n_samples: int = 1000,
    n_features: int = 256,
    n_components: int = 1024,
    *,
    n_active: int = 16,
    rho: float = 0.5,
    noise_std: float = 0.0,
    signed: bool = False,
    dtype: npt.DTypeLike = np.float64,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[npt.NDArray[Any], sparse.csr_array, npt.NDArray[Any]]:
    r"""Generate data from a dictionary whose atoms have cosine `rho` with one another.

    .. math::
        d_j = \frac{\sqrt{1-\rho}\, u_j + \sqrt{\rho}\, v}
                   {\lVert \sqrt{1-\rho}\, u_j + \sqrt{\rho}\, v \rVert},
        \qquad X = Z D + \varepsilon

    with :math:`v` and all :math:`u_j` uniform on the unit sphere: the benchmark of feature
    starvation of [1]_, whose sizes are the defaults. Codes and noise are those of
    :func:`make_sparse_codes`. With positive codes the data have a mean of norm about
    :math:`2\, n_{active} \sqrt\rho` along :math:`v`.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_features : int, default=256
        Number of columns of the data.
    n_components : int, default=1024
        Number of atoms.
    n_active : int, default=16
        Active codes per row, at most `n_components`.
    rho : float, default=0.5
        Strength of the shared direction, from 0, none, to 1, where all atoms are equal.
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
        If a size is not positive, `n_active` is larger than `n_components`, `rho` is outside
        [0, 1], `noise_std` is negative, `dtype` is neither float64 nor float32, or `random_state`
        cannot be a seed.

    See Also
    --------
    SpikedDictionaryStream : The same without an end, for training on fresh rows.
    sklearn_aensae.metrics.dictionary_recovery : With ``centered=True``, leaves :math:`v` out.

    References
    ----------
    .. [1] Feature Starvation as Geometric Instability in Sparse Autoencoders (2026).
       arXiv:2605.05341.

    Examples
    --------
    >>> from sklearn_aensae.datasets import make_spiked_dictionary
    >>> X, codes, dictionary = make_spiked_dictionary(10, rho=0.5, random_state=0)
    >>> X.shape, codes.nnz
    ((10, 256), 160)
    >>> round(float(dictionary[:512].mean(axis=0) @ dictionary[512:].mean(axis=0)), 1)
    0.5
    """
    rng = random_numbers(random_state)
    return draw_samples(
        rng,
        n_samples,
        draw_spiked_dictionary(rng, n_components, n_features, rho),
        n_active=n_active,
        noise_std=noise_std,
        signed=signed,
        dtype=dtype,
    )


def draw_spiked_dictionary(
    rng: np.random.RandomState, n_components: int, n_features: int, rho: float
) -> npt.NDArray[np.float64]:
    """Draw atoms that lean towards one direction, as rows of unit length."""
    if not isinstance(rho, Real) or not 0.0 <= rho <= 1.0:
        raise ValueError(f"rho must be between 0 and 1, got {rho!r}.")
    shared = draw_directions(rng, 1, n_features)
    own = draw_directions(rng, n_components, n_features)
    atoms: npt.NDArray[np.float64] = normalize(np.sqrt(1.0 - rho) * own + np.sqrt(rho) * shared)
    return atoms
