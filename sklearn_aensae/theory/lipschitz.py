"""How far exact codes can move when a row moves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sklearn_aensae.metrics._arrays import Array
from sklearn_aensae.theory._arguments import Floats, check_atoms, check_strength, check_support
from sklearn_aensae.theory.gram import spectrum_of

__all__ = ["lipschitz_bound", "support_lipschitz"]


def lipschitz_bound(dictionary: Array, lambda_2: float) -> float:
    r"""Bound of the Lipschitz constant of exact coding, over all rows and supports.

    .. math:: \frac{\lVert h^*(x) - h^*(x') \rVert}{\lVert x - x' \rVert} \le
        \max_{\sigma_{min} \le t \le \sigma_{max}} \frac{t}{t^2 + \mu}, \qquad \mu = n \lambda_2

    with the extreme singular values of D (:math:`\sigma_{min}` is 0 where there are more atoms than
    features). Of a dictionary with :math:`\sigma_{max} \ge \sqrt\mu \ge \sigma_{min}`, as
    overcomplete ones with a weak ridge are, it is :math:`1 / (2 \sqrt{n \lambda_2})`, whatever the
    atoms. It is never above the more common bound :math:`\sigma_{max} / (n \lambda_2)`, and
    infinite without a ridge.

    Parameters
    ----------
    dictionary : array-like or tensor of shape (n_components, n_features)
        Atoms as rows, D; n is `n_features`.
    lambda_2 : float
        Strength of the L2 penalty as estimators have it, at least 0. Neither the L1 penalty nor
        its weights matter, nor does the scale of the rows.

    Returns
    -------
    bound : float
        Infinite if `lambda_2` is 0 and the atoms are linearly dependent.

    Raises
    ------
    TypeError
        If `lambda_2` is not a number, or `dictionary` is sparse.
    ValueError
        If `dictionary` is not two-dimensional and finite, or `lambda_2` is negative.

    See Also
    --------
    support_lipschitz : The exact constant on one support.
    empirical_lipschitz : Measured, of any estimator.

    Notes
    -----
    Let h and h' be the codes of x and x', :math:`v = h - h'`, :math:`u = D^\top v` and
    :math:`\Delta = x - x'`. The L1 penalty and :math:`h \ge 0` are convex, so the optimality of
    both gives :math:`\lVert u \rVert^2 + \mu \lVert v \rVert^2 \le u^\top \Delta`. With
    :math:`\lVert u \rVert = t \lVert v \rVert` this is :math:`\lVert v \rVert \le
    \lVert \Delta \rVert t / (t^2 + \mu)`, and t lies between the singular values.

    References
    ----------
    The claim: Feature Starvation as Geometric Instability in Sparse Autoencoders (2026).
    :arxiv:`2605.05341`. The penalty: Zou and Hastie (2005). Regularization and variable selection
    via the elastic net. JRSS B 67(2).

    Examples
    --------
    >>> from sklearn_aensae.theory import lipschitz_bound
    >>> D = [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]
    >>> [round(lipschitz_bound(D, lambda_2), 9) for lambda_2 in (0.0, 0.005, 0.125)]
    [inf, 5.0, 1.0]
    """
    atoms = check_atoms(dictionary)
    ridge = atoms.shape[1] * check_strength(lambda_2, "lambda_2")
    spectrum = np.sqrt(spectrum_of(atoms)[[0, -1]])
    return _steepest(np.append(spectrum, np.sqrt(ridge).clip(*spectrum)), ridge)


def support_lipschitz(dictionary: Array, support: npt.ArrayLike, lambda_2: float) -> float:
    r"""Lipschitz constant of exact coding while the support stays what it is.

    .. math:: L_A = \lVert (G_{AA} + n \lambda_2 I)^{-1} D_A \rVert_2 =
        \max_i \frac{\sigma_i}{\sigma_i^2 + n \lambda_2} \le \frac1{2 \sqrt{n \lambda_2}}

    with the singular values :math:`\sigma_i` of :math:`D_A`; codes on A are linear in the row.
    Without a ridge it is :math:`1 / \sigma_{min}`.

    Parameters
    ----------
    dictionary : array-like or tensor of shape (n_components, n_features)
        Atoms as rows.
    support : array-like of int, or mask of shape (n_components,)
        The components of A.
    lambda_2 : float
        Strength of the L2 penalty, at least 0.

    Returns
    -------
    constant : float
        Infinite if `lambda_2` is 0 and the atoms are linearly dependent.

    Raises
    ------
    TypeError
        If `lambda_2` is not a number, or `dictionary` is sparse.
    ValueError
        If `dictionary` is not two-dimensional and finite, `support` is empty, names a component
        twice or one that does not exist, or `lambda_2` is negative.

    See Also
    --------
    lipschitz_bound : The bound over all supports.

    References
    ----------
    Feature Starvation as Geometric Instability in Sparse Autoencoders (2026).
    :arxiv:`2605.05341`.

    Examples
    --------
    Atoms that lean to each other make codes unsteady; a ridge steadies them:

    >>> from sklearn_aensae.theory import support_lipschitz
    >>> D = [[1.0, 0.0], [0.8, 0.6]]
    >>> [round(support_lipschitz(D, [0, 1], lambda_2), 3) for lambda_2 in (0.0, 0.1)]
    [2.236, 1.118]
    """
    atoms = check_atoms(dictionary)
    ridge = atoms.shape[1] * check_strength(lambda_2, "lambda_2")
    return _steepest(np.sqrt(spectrum_of(atoms[check_support(support, len(atoms))])), ridge)


def _steepest(lengths: Floats, ridge: float) -> float:
    """Largest t / (t^2 + ridge) among singular values."""
    if not ridge and not lengths.min():
        return float("inf")
    return float((lengths / (np.square(lengths) + ridge)).max())
