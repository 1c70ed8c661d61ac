"""Domains of shared parameters that are more than numbers and names."""

import os

from skorch.callbacks import Callback

from sklearn_aensae.estimators._build import OPTIMIZERS
from sklearn_aensae.params import Where

__all__ = ["CALLBACKS", "OPTIMIZER", "PATH"]

OPTIMIZER = Where(
    f"one of {', '.join(map(repr, OPTIMIZERS))} or a callable",
    lambda value: callable(value) or (isinstance(value, str) and value in OPTIMIZERS),
)
CALLBACKS = Where(
    "a list of skorch callbacks",
    lambda value: isinstance(value, list | tuple) and all(isinstance(v, Callback) for v in value),
)
PATH = Where(
    "a path or None",
    lambda value: value is None or (isinstance(value, str | os.PathLike) and value != ""),
)
