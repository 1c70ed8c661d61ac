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
    if isinstance(value, np.random.RandomState):
        state: Any = value.get_state(legacy=False)
        return {"random_state": {**state, "state": {**state["state"], "key": _keys(state)}}}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if callable(value):
        function = value.func if isinstance(value, partial) and not value.args else value
        if _optimizers().get(getattr(function, "__name__", "")) is not function:
            raise TypeError(
                f"{name}={value!r} cannot be saved, as files hold data and not code. What can be "
                "saved: names, classes of torch.optim, and functools.partial of such a class with "
                "keywords."
            )
        options = value.keywords if isinstance(value, partial) else {}
        return {"optimizer": function.__name__, "options": to_plain(options)}
    return value


def _from_plain(value: Any) -> Any:
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


def _keys(state: Any) -> list[int]:
    keys: list[int] = state["state"]["key"].tolist()
    return keys


def _optimizers() -> dict[str, Any]:
    """Return the optimisers of torch by name."""
    return {
        name: cls
        for name, cls in vars(torch.optim).items()
        if isinstance(cls, type) and issubclass(cls, Optimizer)
    }
