"""Domains of shared parameters that are more than numbers and names."""

import os

import numpy as np
from skorch.callbacks import Callback

from sklearn_aensae.estimators._build import OPTIMIZERS
from sklearn_aensae.params import Where, is_integer

__all__ = ["CALLBACKS", "OPTIMIZER", "PATH", "SEED"]

OPTIMIZER = Where(
    f"one of {', '.join(map(repr, OPTIMIZERS))} or a callable",
    lambda value: callable(value) or (isinstance(value, str) and value in OPTIMIZERS),
)
CALLBACKS = Where(
    "a list of skorch callbacks",
    lambda value: isinstance(value, list | tuple) and all(isinstance(v, Callback) for v in value),
)
PATH = Where("a path or None", lambda value: isinstance(value, str | os.PathLike | None))
SEED = Where(
    "None, an int from 0 to 2**32 - 1, or a numpy.random.RandomState",
    lambda value: (
        value is None
        or isinstance(value, np.random.RandomState)
        or (is_integer(value) and 0 <= int(value) < 2**32)
    ),
)
