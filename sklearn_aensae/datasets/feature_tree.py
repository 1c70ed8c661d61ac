"""Synthetic data from features of which some occur only together with a more general one."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.utils import gen_batches

from sklearn_aensae._numbers import check_number, random_numbers
from sklearn_aensae.datasets._sampling import draw_directions, draw_magnitudes, mix

__all__ = ["make_feature_tree"]


def make_feature_tree(
    n_samples: int = 1000,
    n_features: int = 32,
    *,
    n_roots: int = 8,
    n_children: int = 3,
    depth: int = 2,
    root_probability: float = 0.2,
    child_probability: float = 0.3,
    noise_std: float = 0.0,
    dtype: npt.DTypeLike = np.float64,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[npt.NDArray[Any], sparse.csr_array, npt.NDArray[Any], npt.NDArray[np.int64]]:
    r"""Generate data whose features form trees: a child is active only where its parent is.

    .. math::
        X = Z D + \varepsilon, \qquad
        P(z_c > 0 \mid z_{parent(c)} > 0) = p_{child}, \qquad
        P(z_c > 0 \mid z_{parent(c)} = 0) = 0

    Roots are active with probability `root_probability`, independently of one another; so are the
    children of an active parent. The rows of :math:`D` are uniform on the unit sphere, and active
    codes are uniform in [1, 3]. The general feature of a sparse autoencoder tends to go silent
    where a special one can take over its direction: absorption, which these data show.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_features : int, default=32
        Number of columns of the data.
    n_roots : int, default=8
        Number of trees.
    n_children : int, default=3
        Children of every feature but those of the last level.
    depth : int, default=2
        Number of levels; 1 gives roots only.
    root_probability : float, default=0.2
        Share of rows in which a root is active.
    child_probability : float, default=0.3
        Share of the rows with its parent in which a child is active.
    noise_std : float, default=0.0
        Standard deviation of the Gaussian noise on every entry of the data.
    dtype : {numpy.float64, numpy.float32}, default=numpy.float64
        Data type of data, codes and dictionary.
    random_state : int, RandomState instance or None, default=None
        An int gives the same data at every call.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        Data.
    codes : scipy.sparse.csr_array of shape (n_samples, n_components)
        True codes :math:`Z`. The components are the roots, then their children, and so on:
        `n_roots * (1 + n_children + ... + n_children ** (depth - 1))` of them.
    dictionary : ndarray of shape (n_components, n_features)
        True atoms :math:`D` as rows of unit length.
    parents : ndarray of shape (n_components,)
        Parent of each component, which comes before it; -1 for roots.

    Raises
    ------
    TypeError
        If a size is not an integer, or a probability is not a number.
    ValueError
        If a size is not positive, a probability is outside [0, 1], `noise_std` is negative,
        `dtype` is neither float64 nor float32, or `random_state` cannot be a seed.

    See Also
    --------
    make_sparse_codes : Features that are independent of one another.
    sklearn_aensae.TreeSAE : Learns such a tree.

    Examples
    --------
    >>> from sklearn_aensae.datasets import make_feature_tree
    >>> X, codes, dictionary, parents = make_feature_tree(
    ...     100, n_roots=2, n_children=2, random_state=0
    ... )
    >>> parents
    array([-1, -1,  0,  0,  1,  1])
    >>> support = codes.toarray() > 0
    >>> bool(support[:, 0][support[:, 2]].all())
    True
    """
    check_number(n_samples, "n_samples", Integral, min_val=1)
    for name, probability in (
        ("root_probability", root_probability),
        ("child_probability", child_probability),
    ):
        check_number(probability, name, Real, min_val=0, max_val=1)
    rng = random_numbers(random_state)
    parents = _grow(n_roots, n_children, depth)
    dictionary = draw_directions(rng, len(parents), n_features)
    probabilities = np.where(parents < 0, root_probability, child_probability)
    codes = sparse.csr_array(
        sparse.vstack(list(_iter_codes(rng, n_samples, parents, probabilities)), format="csr")
    )
    return *mix(rng, codes, dictionary, noise_std=noise_std, dtype=dtype), parents


def _grow(n_roots: int, n_children: int, depth: int) -> npt.NDArray[np.int64]:
    """Return the parents of all features, level after level."""
    for name, size in (("n_roots", n_roots), ("n_children", n_children), ("depth", depth)):
        check_number(size, name, Integral, min_val=1)
    levels = [np.full(n_roots, -1)]
    start = 0
    for _ in range(depth - 1):
        stop = start + len(levels[-1])
        levels.append(np.arange(start, stop).repeat(n_children))
        start = stop
    return np.concatenate(levels)


def _iter_codes(
    rng: np.random.RandomState,
    n_samples: int,
    parents: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float64],
) -> Iterator[sparse.csr_array]:
    """Draw codes in batches of rows: the random numbers that decide on activity are dense."""
    for rows in gen_batches(n_samples, 16384):
        active = rng.random_sample((rows.stop - rows.start, len(parents))) < probabilities
        # A parent comes before its children, so that it has been decided on.
        for child in np.flatnonzero(parents >= 0):
            active[:, child] &= active[:, parents[child]]
        support = sparse.csr_array(active)
        values = draw_magnitudes(rng, support.nnz)
        yield sparse.csr_array((values, support.indices, support.indptr), shape=support.shape)
