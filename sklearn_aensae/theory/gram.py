"""How well conditioned the atoms are that are active together."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sklearn_aensae.metrics._arrays import Array, CodeArray
from sklearn_aensae.theory._arguments import Floats, check_atoms, check_codes, check_support

__all__ = ["GramSpectra", "GramSpectrum", "active_gram_spectra", "active_gram_spectrum"]


class GramSpectrum(NamedTuple):
    """What :func:`active_gram_spectrum` finds."""

    eigenvalues: Floats
    """Eigenvalues in ascending order, shape (n_active,)."""

    smallest: float
    """The least of them; 0 if the atoms are linearly dependent."""

    largest: float
    """The largest of them."""

    condition_number: float
    """`largest` / `smallest`; infinite if the atoms are linearly dependent."""


class GramSpectra(NamedTuple):
    """What :func:`active_gram_spectra` finds; NaN for rows without an active code."""

    n_active: npt.NDArray[np.intp]
    """Active codes of each row, shape (n_samples,)."""

    smallest: Floats
    """Least eigenvalue of each row's active block, shape (n_samples,)."""

    largest: Floats
    """Largest eigenvalue, shape (n_samples,)."""

    condition_number: Floats
    """Condition number, shape (n_samples,); infinite where the block is singular."""


def active_gram_spectrum(dictionary: Array, support: npt.ArrayLike) -> GramSpectrum:
    r"""Eigenvalues of the Gram matrix of the atoms of a support.

    .. math:: G_{AA} = D_A D_A^\top, \qquad
        \kappa = \lambda_{max}(G_{AA}) / \lambda_{min}(G_{AA})

    On a support A that stays the same, codes are a linear function of the row, and without an L2
    penalty :math:`1 / \sqrt{\lambda_{min}}` is how far they move per unit that the row moves.

    Parameters
    ----------
    dictionary : array-like or tensor of shape (n_components, n_features)
        Atoms as rows, taken as they are: eigenvalues of unit atoms have mean 1.
    support : array-like of int, or mask of shape (n_components,)
        The components of A.

    Returns
    -------
    spectrum : GramSpectrum
        `eigenvalues`, `smallest`, `largest` and `condition_number`. Eigenvalues that are 0 up to
        rounding are 0, as are all but the last `n_features`.

    Raises
    ------
    TypeError
        If `dictionary` is sparse.
    ValueError
        If `dictionary` is not two-dimensional and finite, or `support` is empty, names a component
        twice or one that does not exist.

    See Also
    --------
    active_gram_spectra : The same for the supports of many rows.

    References
    ----------
    Feature Starvation as Geometric Instability in Sparse Autoencoders (2026).
    :arxiv:`2605.05341`, which tracks this condition number in training.

    Examples
    --------
    Two unit atoms with cosine c have the eigenvalues 1 - c and 1 + c:

    >>> from sklearn_aensae.theory import active_gram_spectrum
    >>> spectrum = active_gram_spectrum([[1.0, 0.0], [0.6, 0.8]], [0, 1])
    >>> spectrum.eigenvalues.round(6), round(spectrum.condition_number, 6)
    (array([0.4, 1.6]), 4.0)
    """
    atoms = check_atoms(dictionary)
    eigenvalues = spectrum_of(atoms[check_support(support, len(atoms))])
    smallest, largest = float(eigenvalues[0]), float(eigenvalues[-1])
    condition = largest / smallest if smallest else float("inf")
    return GramSpectrum(eigenvalues, smallest, largest, condition)


def active_gram_spectra(dictionary: Array, codes: CodeArray) -> GramSpectra:
    r"""Extreme eigenvalues of the Gram matrix of each row's active atoms.

    .. math:: \lambda_{min}(G_{AA}), \quad \lambda_{max}(G_{AA}), \quad
        \kappa = \frac{\lambda_{max}}{\lambda_{min}}, \qquad G_{AA} = D_A D_A^\top

    for the support A of each row.

    Parameters
    ----------
    dictionary : array-like or tensor of shape (n_components, n_features)
        Atoms as rows.
    codes : array-like, tensor or sparse matrix of shape (n_samples, n_components)
        The support of a row is where its codes are not zero.

    Returns
    -------
    spectra : GramSpectra
        `n_active`, `smallest`, `largest` and `condition_number` of each row.

    Raises
    ------
    ValueError
        If an array is not two-dimensional, is empty, or holds NaN or infinity, or if there are not
        as many codes per row as atoms.

    See Also
    --------
    active_gram_spectrum : All eigenvalues of one support, and what they mean.

    References
    ----------
    Feature Starvation as Geometric Instability in Sparse Autoencoders (2026).
    :arxiv:`2605.05341`.

    Examples
    --------
    >>> from sklearn_aensae.datasets import make_spiked_dictionary
    >>> from sklearn_aensae.theory import active_gram_spectra
    >>> for rho in 0.0, 0.9:
    ...     _, codes, dictionary = make_spiked_dictionary(50, rho=rho, random_state=0)
    ...     print(active_gram_spectra(dictionary, codes).condition_number.mean().round())
    2.0
    232.0
    """
    atoms = check_atoms(dictionary)
    active = check_codes(codes, len(atoms))
    found = np.full((active.shape[0], 2), np.nan)
    for i, columns in enumerate(np.split(active.indices, active.indptr[1:-1])):
        if len(columns):
            found[i] = spectrum_of(atoms[columns])[[0, -1]]
    smallest, largest = found.T
    condition = np.divide(largest, smallest, out=np.full_like(largest, np.inf), where=smallest != 0)
    return GramSpectra(np.diff(active.indptr).astype(np.intp), smallest, largest, condition)


def spectrum_of(atoms: Floats) -> Floats:
    """Eigenvalues of the Gram matrix of atoms, ascending; those that rounding left are 0."""
    # Singular values of the atoms keep the digits that squaring would lose.
    lengths = np.linalg.svd(atoms, compute_uv=False)
    lengths[lengths <= rounding(atoms, lengths)] = 0
    eigenvalues = np.zeros(len(atoms))
    eigenvalues[len(atoms) - len(lengths) :] = np.square(lengths[::-1])
    return eigenvalues


def rounding(atoms: Floats, lengths: npt.NDArray[np.floating[Any]]) -> float:
    """Singular values, or their squares, up to this are 0 but for rounding."""
    return float(max(atoms.shape) * np.finfo(np.float64).eps * lengths.max(initial=0.0))
