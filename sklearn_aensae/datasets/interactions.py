"""Synthetic data in which pairs of features add something when both are active."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from sklearn_aensae._numbers import check_number, random_numbers
from sklearn_aensae.datasets._sampling import draw_codes, draw_directions, mix

__all__ = ["make_interactions"]


def make_interactions(
    n_samples: int = 1000,
    n_features: int = 32,
    n_components: int = 16,
    *,
    n_active: int = 4,
    n_interactions: int = 1,
    strength: float = 0.5,
    noise_std: float = 0.0,
    dtype: npt.DTypeLike = np.float64,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[
    npt.NDArray[Any],
    sparse.csr_array,
    npt.NDArray[Any],
    npt.NDArray[np.int64],
    npt.NDArray[Any],
]:
    r"""Generate sparse combinations of atoms, and more where both of a pair are active.

    .. math:: x = z D + s \sum_{p} z_{i_p} z_{j_p} e_p + \varepsilon

    The rows of D and the :math:`e_p` are uniform on the unit sphere; codes are those of
    :func:`make_sparse_codes`. Rows with a whole pair are a share of
    `n_active (n_active - 1) / (n_components (n_components - 1))`. A linear decoder needs a further
    component, and a further active code, for each :math:`e_p`.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_features : int, default=32
        Number of columns of the data.
    n_components : int, default=16
        Number of atoms.
    n_active : int, default=4
        Active codes per row, at most `n_components`.
    n_interactions : int, default=1
        Number of pairs that interact. No two are the same, but they may share a component.
    strength : float, default=0.5
        s. Products of two active codes lie between 1 and 9, with mean 4.
    noise_std : float, default=0.0
        Standard deviation of the Gaussian noise on every entry of the data.
    dtype : {numpy.float64, numpy.float32}, default=numpy.float64
        Data type of data, codes, dictionary and directions.
    random_state : int, RandomState instance or None, default=None
        An int gives the same data at every call.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        Data.
    codes : scipy.sparse.csr_array of shape (n_samples, n_components)
        True codes z.
    dictionary : ndarray of shape (n_components, n_features)
        True atoms D as rows of unit length.
    pairs : ndarray of shape (n_interactions, 2)
        :math:`i_p < j_p`, the components that interact.
    directions : ndarray of shape (n_interactions, n_features)
        :math:`e_p` as rows of unit length.

    Raises
    ------
    TypeError
        If a size is not an integer.
    ValueError
        If a size is not positive, `n_active` is larger than `n_components`, there are not as many
        pairs as `n_interactions`, `strength` or `noise_std` is not finite, `noise_std` is negative,
        `dtype` is neither float64 nor float32, or `random_state` cannot be a seed.

    See Also
    --------
    make_sparse_codes : The same without interactions.
    sklearn_aensae.PolySAE : Learns interactions.

    Examples
    --------
    >>> from sklearn_aensae.datasets import make_interactions
    >>> X, codes, dictionary, pairs, directions = make_interactions(100, random_state=0)
    >>> i, j = pairs[0]
    >>> together = codes[:, [i]].multiply(codes[:, [j]]) * 0.5
    >>> bool(abs(X - codes @ dictionary - together @ directions).max() < 1e-12)
    True
    """
    check_number(n_components, "n_components", Integral, min_val=1)
    n_pairs = n_components * (n_components - 1) // 2
    check_number(n_interactions, "n_interactions", Integral, min_val=0, max_val=n_pairs)
    if not isinstance(strength, Real) or not np.isfinite(strength):
        raise ValueError(f"strength must be finite, got {strength!r}.")
    rng = random_numbers(random_state)
    atoms = draw_directions(rng, n_components + n_interactions, n_features)
    codes = draw_codes(rng, n_samples, n_components, n_active=n_active, signed=False)
    chosen = rng.choice(n_pairs, n_interactions, replace=False)
    pairs = np.stack(np.triu_indices(n_components, 1), axis=1)[chosen].astype(np.int64)
    products = codes[:, pairs[:, 0]].multiply(codes[:, pairs[:, 1]])
    both = sparse.csr_array(sparse.hstack([codes, strength * products]))
    X, both, atoms = mix(rng, both, atoms, noise_std=noise_std, dtype=dtype)
    codes = sparse.csr_array(both[:, :n_components])
    return X, codes, atoms[:n_components], pairs, atoms[n_components:]
