"""How much of an atom lies in the span of others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sklearn_aensae.metrics._arrays import Array, unit_rows
from sklearn_aensae.theory._arguments import Floats, check_atoms, check_support
from sklearn_aensae.theory.gram import rounding

__all__ = ["cross_leverage"]


def cross_leverage(dictionary: Array, support: npt.ArrayLike) -> Floats:
    r"""Share of each atom outside a support that the support's atoms span.

    .. math:: \ell_j(A) = \frac{\lVert P_A d_j \rVert^2}{\lVert d_j \rVert^2}
        = \frac{g_{jA}\, G_{AA}^{+}\, g_{Aj}}{g_{jj}} \in [0, 1], \qquad j \notin A

    with :math:`P_A` the projection on the span of the atoms of A and :math:`G = D D^\top`. At 1,
    the active atoms can stand for atom j in full: it is shadowed by them.

    Parameters
    ----------
    dictionary : array-like or tensor of shape (n_components, n_features)
        Atoms as rows, of any length.
    support : array-like of int, or mask of shape (n_components,)
        The components of A; their atoms may be linearly dependent.

    Returns
    -------
    leverage : ndarray of shape (n_components,)
        Between 0 and 1; NaN in the support, where the question makes no sense. A zero atom has 0.

    Raises
    ------
    TypeError
        If `dictionary` is sparse.
    ValueError
        If `dictionary` is not two-dimensional and finite, or `support` is empty, names a component
        twice or one that does not exist.

    References
    ----------
    Feature Starvation as Geometric Instability in Sparse Autoencoders (2026).
    :arxiv:`2605.05341`.

    Examples
    --------
    >>> from sklearn_aensae.theory import cross_leverage
    >>> cross_leverage([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 2.0]], [0]).round(6)
    array([ nan, 0.36, 0.  ])
    """
    # A short atom spans as much as a long one.
    atoms = unit_rows(check_atoms(dictionary))
    members = check_support(support, len(atoms))
    _, lengths, directions = np.linalg.svd(atoms[members], full_matrices=False)
    span = directions[lengths > rounding(atoms[members], lengths)]
    leverage: Floats = np.square(atoms @ span.T).sum(axis=1).clip(max=1.0)
    leverage[members] = np.nan
    return leverage
