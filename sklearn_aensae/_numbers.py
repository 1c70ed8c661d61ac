"""Numbers that functions are given, checked as scikit-learn does, and a little stricter."""

from typing import Any

import numpy as np
from sklearn.utils import check_scalar

__all__ = ["check_number"]


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
