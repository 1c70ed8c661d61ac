"""Numbers that functions are given, checked as scikit-learn does, and a little stricter."""

from typing import Any

import numpy as np
from sklearn.utils import check_random_state, check_scalar

from sklearn_aensae.params import Where, check_param, is_integer

__all__ = ["SEED", "check_number", "random_numbers"]

SEED = Where(
    "None, an int from 0 to 2**32 - 1, or a numpy.random.RandomState",
    lambda value: (
        value is None
        or isinstance(value, np.random.RandomState)
        or (is_integer(value) and 0 <= int(value) < 2**32)
    ),
)


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
    """Return what scikit-learn's `check_random_state` does, for what estimators take.

    Raises
    ------
    InvalidParameterError
        If it is not None, an int that can be a seed, or a RandomState.
    """
    check_param(random_state, "random_state", SEED)
    numbers: np.random.RandomState = check_random_state(random_state)
    return numbers
