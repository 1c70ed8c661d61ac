"""How coherent a dictionary is, and how much of a known one was found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from sklearn.utils import gen_batches

from sklearn_aensae.metrics._arrays import Array, check_rows, unit_rows

__all__ = ["DictionaryRecovery", "dictionary_recovery", "mutual_coherence"]


def mutual_coherence(components: Array) -> float:
    r"""Largest absolute cosine between two different atoms.

    .. math:: \max_{i \ne j} \frac{|\langle d_i, d_j \rangle|}{\lVert d_i \rVert \lVert d_j \rVert}

    Parameters
    ----------
    components : array-like or tensor of shape (n_components, n_features)
        Atoms as rows, of any length.

    Returns
    -------
    coherence : float
        Between 0, orthogonal atoms, and 1. The cosine with a zero atom is 0, and so is the
        coherence of a single atom.

    Raises
    ------
    TypeError
        If `components` is sparse.
    ValueError
        If `components` is not two-dimensional, is empty, or holds NaN or infinity.

    References
    ----------
    Donoho and Huo (2001). Uncertainty principles and ideal atomic decomposition. IEEE
    Transactions on Information Theory 47(7).

    Examples
    --------
    >>> from sklearn_aensae.metrics import mutual_coherence
    >>> mutual_coherence([[1.0, 0.0], [0.0, 2.0], [-3.0, 4.0]])
    0.8
    """
    return float(nearest_atoms(unit_rows(check_rows(components, "components")))[0].max())


def nearest_atoms(
    atoms: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """Largest absolute cosine of each unit atom with any other, and which other that is."""
    cosines, nearest = np.zeros(len(atoms)), np.zeros(len(atoms), np.intp)
    # Blocks of the Gram matrix: it has 10^10 entries for 10^5 atoms.
    for rows in gen_batches(len(atoms), 1024):
        block = np.abs(atoms[rows] @ atoms.T)
        np.fill_diagonal(block[:, rows], -1.0)
        nearest[rows] = block.argmax(axis=1)
        cosines[rows] = block.max(axis=1).clip(0.0, 1.0)
    return cosines, nearest


class DictionaryRecovery(NamedTuple):
    """What :func:`dictionary_recovery` finds."""

    mean_cosine: float
    """Mean over the true atoms of the cosine with their partner; 0 for one without a partner."""

    cosines: npt.NDArray[np.float64]
    """Cosine of each pair, shape (n_pairs,)."""

    matching: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
    """Row numbers of the pairs, in the components and in the true components."""


def dictionary_recovery(
    components: Array, true_components: Array, *, centered: bool = False, absolute: bool = False
) -> DictionaryRecovery:
    r"""Match learned atoms one to one with the true ones, and say how close they are.

    .. math:: \frac1{d^*} \max_\pi \sum_{j} \cos(d_{\pi(j)}, d^*_j)

    The matching maximises the sum of the cosines (Hungarian algorithm). Each true atom has at
    most one partner, so a learned atom that blends two counts for one of them.

    Parameters
    ----------
    components : array-like or tensor of shape (n_components, n_features)
        Learned atoms as rows, of any length.
    true_components : array-like or tensor of shape (n_true_components, n_features)
        True atoms as rows, of any length.
    centered : bool, default=False
        Whether to project the direction of the mean true atom off both dictionaries before the
        comparison. Where the true atoms share a direction, the mean of the data lies along it and
        the bias of an autoencoder reproduces it: of :func:`make_spiked_dictionary
        <sklearn_aensae.datasets.make_spiked_dictionary>` a perfect centred learner has cosine
        :math:`\sqrt{1 - \rho}` uncentred, and 1 centred.
    absolute : bool, default=False
        Whether an atom and its negative are the same, as they are where codes have either sign.

    Returns
    -------
    recovery : DictionaryRecovery
        `mean_cosine`, the `cosines` of the pairs, and their `matching`.

    Raises
    ------
    TypeError
        If an array is sparse.
    ValueError
        If an array is not two-dimensional, is empty, holds NaN or infinity, or if the two differ
        in `n_features`.

    References
    ----------
    Kuhn (1955). The Hungarian method for the assignment problem. Naval Research Logistics
    Quarterly 2.

    Feature Starvation as Geometric Instability in Sparse Autoencoders (2026), dictionary errors
    of the synthetic experiments. :arxiv:`2605.05341`.

    Examples
    --------
    >>> from sklearn_aensae.metrics import dictionary_recovery
    >>> recovery = dictionary_recovery([[0.0, 5.0], [3.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]])
    >>> recovery.mean_cosine
    0.8
    >>> recovery.matching
    (array([0, 1]), array([1, 0]))
    """
    learned = check_rows(components, "components")
    true = check_rows(true_components, "true_components")
    if learned.shape[1] != true.shape[1]:
        raise ValueError(
            "components and true_components must have the same number of columns, "
            f"got {learned.shape} and {true.shape}."
        )
    if centered:
        (direction,) = unit_rows(true.mean(axis=0, keepdims=True, dtype=np.float64))
        learned, true = _without(direction, learned), _without(direction, true)
    similarity = (unit_rows(learned) @ unit_rows(true).T).clip(-1.0, 1.0)
    if absolute:
        similarity = np.abs(similarity)
    matching = linear_sum_assignment(similarity, maximize=True)
    cosines = similarity[matching]
    return DictionaryRecovery(float(cosines.sum() / len(true)), cosines, matching)


def _without(
    direction: npt.NDArray[np.float64], atoms: npt.NDArray[np.number]
) -> npt.NDArray[np.float64]:
    """Take a direction out of atoms, brought to length 1; nothing is left of one along it."""
    units = unit_rows(atoms)
    rest = units - np.outer(units @ direction, direction)
    # What rounding left of the entries as they were given would point anywhere.
    rounding = 8 * np.finfo(np.result_type(atoms.dtype, np.float16)).eps
    rest[np.linalg.norm(rest, axis=1) < rounding] = 0
    return rest
