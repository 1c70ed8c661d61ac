"""The spiked benchmark without an end: fresh rows of one dictionary, in blocks."""

from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from sklearn_aensae._numbers import check_number, random_numbers
from sklearn_aensae.datasets._sampling import draw_samples
from sklearn_aensae.datasets.spiked_dictionary import draw_spiked_dictionary

__all__ = ["SpikedDictionaryStream"]


class SpikedDictionaryStream:
    r"""Endless rows of :func:`make_spiked_dictionary`, all of the same dictionary.

    The benchmark of [1]_ trains on rows that are drawn anew for each step: 12.8 million, or 13 GB
    in single precision. Iterating over a stream gives blocks of rows, without end; iterating
    again gives the same blocks again. Every estimator takes one as `X`, together with `max_steps`
    (and without `decoder_refits`, which read rows again). The rows are independent, so that
    `shuffle=False` does no harm and saves the shuffling buffer.

    Parameters
    ----------
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
    block_size : int, default=8192
        Rows per block. Large blocks cost less per row.
    dtype : {numpy.float32, numpy.float64}, default=numpy.float32
        Data type of rows, codes and dictionary.
    random_state : int, RandomState instance or None, default=None
        An int gives the same stream each time, with the dictionary that
        :func:`make_spiked_dictionary` draws from it.

    Attributes
    ----------
    dictionary : ndarray of shape (n_components, n_features)
        True atoms as rows of unit length.

    Raises
    ------
    TypeError
        If a size is not an integer.
    ValueError
        If a size is not positive, `rho` is outside [0, 1], `n_active` is larger than
        `n_components`, `noise_std` is negative, `dtype` is neither float64 nor float32, or
        `random_state` cannot be a seed.

    See Also
    --------
    make_spiked_dictionary : As many rows as asked for, in memory.

    References
    ----------
    .. [1] Feature Starvation as Geometric Instability in Sparse Autoencoders (2026).
       arXiv:2605.05341.

    Examples
    --------
    >>> from sklearn_aensae import TopKSAE
    >>> from sklearn_aensae.datasets import SpikedDictionaryStream
    >>> stream = SpikedDictionaryStream(32, 64, n_active=4, rho=0.5, random_state=0)
    >>> sae = TopKSAE(64, k=4, max_steps=50, shuffle=False, random_state=0).fit(stream)
    >>> X, codes = stream.held_out(1000)
    >>> sae.transform(X).shape, codes.shape
    ((1000, 64), (1000, 64))
    """

    def __init__(
        self,
        n_features: int = 256,
        n_components: int = 1024,
        *,
        n_active: int = 16,
        rho: float = 0.5,
        noise_std: float = 0.0,
        signed: bool = False,
        block_size: int = 8192,
        dtype: npt.DTypeLike = np.float32,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        check_number(block_size, "block_size", Integral, min_val=1)
        rng = random_numbers(random_state)
        self._atoms = draw_spiked_dictionary(rng, n_components, n_features, rho)
        self._block_size = block_size
        self._options: dict[str, Any] = {
            "n_active": n_active,
            "noise_std": noise_std,
            "signed": signed,
            "dtype": dtype,
        }
        self._seed, self._held_out_seed = rng.randint(2**31 - 1, size=2)
        # One row, to refuse options before the first block is asked for.
        row = draw_samples(np.random.RandomState(0), 1, self._atoms, **self._options)
        self.dictionary: npt.NDArray[Any] = row[2]

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        """Blocks of shape (block_size, n_features), from the first one on."""
        rng = np.random.RandomState(self._seed)
        while True:
            yield draw_samples(rng, self._block_size, self._atoms, **self._options)[0]

    def held_out(self, n_samples: int = 8192) -> tuple[npt.NDArray[Any], sparse.csr_array]:
        """Draw rows that no block holds, the same at every call, with their true codes.

        Parameters
        ----------
        n_samples : int, default=8192
            Number of rows.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Rows.
        codes : scipy.sparse.csr_array of shape (n_samples, n_components)
            Their true codes.

        Raises
        ------
        TypeError
            If `n_samples` is not an integer.
        ValueError
            If `n_samples` is not positive.
        """
        rng = np.random.RandomState(self._held_out_seed)
        X, codes, _ = draw_samples(rng, n_samples, self._atoms, **self._options)
        return X, codes
