"""How alike atoms are, one by one and at worst."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sklearn_aensae.metrics._arrays import Array, check_rows, unit_rows
from sklearn_aensae.metrics.dictionary import nearest_atoms
from sklearn_aensae.theory._arguments import Floats

__all__ = ["Coherence", "coherence"]


class Coherence(NamedTuple):
    """What :func:`coherence` finds."""

    mutual: float
    """Largest absolute cosine between two different atoms."""

    per_atom: Floats
    """Largest absolute cosine of each atom with any other, shape (n_components,)."""

    nearest: npt.NDArray[np.intp]
    """The other atom that it is reached at, shape (n_components,)."""

    @property
    def guaranteed_sparsity(self) -> float:
        r"""Largest number k of active codes with :math:`k < (1 + 1 / \mu) / 2`.

        Codes with so few entries are the sparsest of their row, and basis pursuit finds them,
        whatever the support. Infinite for orthogonal atoms.
        """
        # The bound itself is not below it, whatever rounding says.
        return math.ceil((1 + 1 / self.mutual) / 2 - 1e-9) - 1 if self.mutual else math.inf


def coherence(dictionary: Array) -> Coherence:
    r"""Largest cosine of each atom with any other, and of all of them.

    .. math:: \mu_j = \max_{i \ne j}
        \frac{|\langle d_i, d_j \rangle|}{\lVert d_i \rVert \lVert d_j \rVert},
        \qquad \mu = \max_j \mu_j

    The Gram matrix is passed through in blocks of rows and never held.

    Parameters
    ----------
    dictionary : array-like or tensor of shape (n_components, n_features)
        Atoms as rows, of any length.

    Returns
    -------
    coherence : Coherence
        `mutual`, `per_atom`, `nearest` and `guaranteed_sparsity`. The cosine with a zero atom is
        0; a single atom is its own nearest, with 0.

    Raises
    ------
    TypeError
        If `dictionary` is sparse.
    ValueError
        If `dictionary` is not two-dimensional, is empty, or holds NaN or infinity.

    See Also
    --------
    sklearn_aensae.metrics.mutual_coherence : The one number.

    References
    ----------
    Donoho and Elad (2003). Optimally sparse representation in general (nonorthogonal) dictionaries
    via l1 minimization. PNAS 100(5). Tropp (2004). Greed is good: algorithmic results for sparse
    approximation. IEEE Transactions on Information Theory 50(10).

    Examples
    --------
    >>> from sklearn_aensae.theory import coherence
    >>> found = coherence([[1.0, 0.0], [0.0, 2.0], [-3.0, 4.0]])
    >>> found.mutual, found.per_atom, found.nearest
    (0.8, array([0.6, 0.8, 0.8]), array([2, 2, 1]))
    """
    cosines, nearest = nearest_atoms(unit_rows(check_rows(dictionary, "dictionary")))
    return Coherence(float(cosines.max()), cosines, nearest)
