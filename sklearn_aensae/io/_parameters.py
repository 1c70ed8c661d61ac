"""Constructor parameters as plain values: also optimisers of torch, and random states."""

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.optim import Optimizer

from sklearn_aensae.exceptions import LoadError

__all__ = ["from_plain", "to_plain"]


def to_plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as numbers, strings, lists and dicts, without `callbacks`.

    Raises
    ------
    TypeError
        If a parameter is code, or an object that cannot be written as data.
    """
    return {k: _to_plain(k, v) for k, v in parameters.items() if k != "callbacks"}


def from_plain(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `to_plain` was given.

    Raises
    ------
    LoadError
        If an optimiser is not one of `torch.optim`.
    """
    return {k: _from_plain(v) for k, v in plain.items()}


def _to_plain(name: str, value: Any) -> Any:
    """Return one parameter as data."""
    if isinstance(value, np.random.RandomState):
        state: Any = value.get_state(legacy=False)
        keys = state["state"]["key"].tolist()
        return {"random_state": {**state, "state": {**state["state"], "key": keys}}}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, torch.device):
        return str(value)
    if callable(value):
        return _optimizer_to_plain(name, value)
    return value


def _optimizer_to_plain(name: str, value: Any) -> dict[str, Any]:
    """Return a class of `torch.optim`, perhaps in a `partial`, as its name and options."""
    function, options = value, {}
    if isinstance(value, partial) and not value.args:
        function, options = value.func, value.keywords
    known = {cls: known_name for known_name, cls in _optimizers().items()}
    if function not in known:
        raise TypeError(
            f"{name}={value!r} cannot be saved, as files hold data and not code. What can be "
            "saved: names, classes of torch.optim, and functools.partial of such a class with "
            "keywords."
        )
    return {"optimizer": known[function], "options": to_plain(options)}


def _from_plain(value: Any) -> Any:
    """Return one parameter as the constructor takes it."""
    if not isinstance(value, dict):
        return value
    if set(value) == {"random_state"}:
        random_state = np.random.RandomState()
        random_state.set_state(value["random_state"])
        return random_state
    if set(value) == {"optimizer", "options"}:
        known = _optimizers()
        if value["optimizer"] not in known:
            raise LoadError(f"optimizer {value['optimizer']!r} is not a class of torch.optim.")
        cls, options = known[value["optimizer"]], from_plain(value["options"])
        return partial(cls, **options) if options else cls
    return value


def _optimizers() -> dict[str, Any]:
    """Return the optimisers of torch by name."""
    return {
        name: cls
        for name, cls in vars(torch.optim).items()
        if isinstance(cls, type) and issubclass(cls, Optimizer)
    }
