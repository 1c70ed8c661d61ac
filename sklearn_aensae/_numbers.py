"""Numbers that functions are given, checked as scikit-learn does, and a little stricter."""

from typing import Any

import numpy as np
from sklearn.utils import check_random_state, check_scalar

__all__ = ["check_number", "random_numbers"]


def check_number(value: Any, name: str, kind: type, **bounds: Any) -> None:
    """Apply scikit-learn's `check_scalar`, but take neither a bool nor NaN for a number.

    Raises
    ------
    TypeError
        If the value is not of this kind.
    ValueError
        If it is NaN or outside the bounds.
    """
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be a number; got {value}.")
    check_scalar(value, name, kind, **bounds)
    if np.isnan(value):
        raise ValueError(f"{name} must be a number; got {value}.")


def random_numbers(random_state: Any) -> np.random.RandomState:
    """Return what scikit-learn's `check_random_state` does, but name the parameter if it refuses.

    Raises
    ------
    ValueError
        If it is not None, an int that can be a seed, or a RandomState.
    """
    try:
        numbers: np.random.RandomState = check_random_state(random_state)
    except (TypeError, ValueError):
        raise ValueError(
            "random_state must be None, an int from 0 to 2**32 - 1, or a numpy.random.RandomState; "
            f"got {random_state!r}."
        ) from None
    return numbers
