"""What the functions of theory accept, and what they say to anything else."""

from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_aensae._numbers import check_number
from sklearn_aensae.metrics._arrays import Array, CodeArray, active_set, check_rows

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


def check_atoms(dictionary: Array) -> Floats:
    """Return the atoms as a finite float64 ndarray of shape (n_components, n_features)."""
    atoms: Floats = np.asarray(check_rows(dictionary, "dictionary"), dtype=np.float64)
    return atoms


def check_support(support: npt.ArrayLike, n_components: int) -> Indices:
    """Return a support, given by numbers of components or as a mask, as numbers."""
    given = np.asarray(support)
    if given.dtype == bool and given.shape == (n_components,):
        given = np.flatnonzero(given)
    if given.ndim != 1 or given.size == 0 or not np.issubdtype(given.dtype, np.integer):
        raise ValueError(
            "support must be a list of at least one component, or a mask of shape "
            f"({n_components},) that marks one; got {support!r}."
        )
    if given.min() < 0 or given.max() >= n_components:
        raise ValueError(
            f"support must hold numbers from 0 to {n_components - 1}, those of the components; "
            f"got {given.min()} to {given.max()}."
        )
    if len(np.unique(given)) < len(given):
        raise ValueError(f"support names a component twice: {given.tolist()}.")
    return given.astype(np.intp)


def check_codes(codes: CodeArray, n_components: int) -> Any:
    """Return codes as CSR without stored zeros, one column per component."""
    active = active_set(check_rows(codes, "codes", accept_sparse=True))
    if active.shape[1] != n_components:
        raise ValueError(
            f"codes must have {n_components} columns, one per atom; got {active.shape[1]}."
        )
    return active


def check_vector(vector: Any, name: str, size: int, *, positive: bool = False) -> Floats:
    """Return a finite vector of a given size."""
    try:
        array: Floats = np.asarray(vector, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold {size} finite numbers; got {vector!r}.") from error
    if array.shape != (size,) or not np.isfinite(array).all():
        raise ValueError(f"{name} must hold {size} finite numbers; got shape {array.shape}.")
    if positive and array.min() <= 0:
        raise ValueError(f"{name} must be positive; its least entry is {array.min():g}.")
    return array


def check_weights(weights: Any, n_components: int) -> Floats:
    """Return the weights of the L1 penalty; None is 1 for each component."""
    if weights is None:
        return np.ones(n_components)
    return check_vector(weights, "weights", n_components, positive=True)


def check_strength(strength: Any, name: str, *, positive: bool = False) -> float:
    """Return the strength of a penalty: finite, not negative or even positive."""
    low = "neither" if positive else "left"
    check_number(strength, name, Real, min_val=0, max_val=np.inf, include_boundaries=low)
    return float(strength)
