"""An estimator as a tree of plain values and tensors, and the estimator again from the tree."""

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sklearn_aensae.exceptions import LoadError
from sklearn_aensae.io._classes import class_name
from sklearn_aensae.io._parameters import from_plain, to_plain
from sklearn_aensae.sources import InputScaling

if TYPE_CHECKING:
    from sklearn_aensae.estimators import BaseSAE

__all__ = ["pack", "restore_net"]

_NEW = frozenset({"encoder.centre", "control.log_coding"})
"""What the first files did not have: then it is what it is in a new module."""


def pack(estimator: "BaseSAE", *, optimizer: bool = True) -> dict[str, Any]:
    """Return all that a fitted estimator is.

    What `_write_fitted` derives from the net is left out: it is derived again.
    """
    net = estimator.net_
    parameters = to_plain(estimator.get_params(deep=False))
    trained_with = to_plain(
        {k: v for k, v in estimator._trained_with.items() if optimizer or k != "optimizer"}
    )
    names = getattr(estimator, "feature_names_in_", None)
    state = {"module": net.module_.state_dict(), "objective": net.criterion_.state_dict()}
    if optimizer:
        state["optimizer"] = net.optimizer_.state_dict()
    return {
        "class": class_name(type(estimator)),
        "versions": _versions(),
        "parameters": parameters,
        "trained_with": {k: v for k, v in trained_with.items() if v != parameters[k]},
        "feature_names_in": None if names is None else names.tolist(),
        "seed": estimator._seed,
        "scaling": estimator._scaling.state(),
        "plan": asdict(estimator._plan),
        "history": estimator.history_,
        "n_steps": net.n_steps_,
        # What single batches recorded is the callbacks' own and can be of any size.
        "epochs": [{**row, "batches": []} for row in net.history],
        "state": state,
    }


def restore_net(estimator: "BaseSAE", content: Mapping[str, Any], device: str) -> None:
    """Give an estimator the net, the scaling and the fitted attributes that were packed.

    Raises
    ------
    LoadError
        If tensors do not fit the estimator.
    """
    from sklearn_aensae.estimators._build import assemble, make_module
    from sklearn_aensae.estimators._plan import Plan

    plan = Plan(**content["plan"])
    trained_with = estimator.get_params(deep=False) | from_plain(content["trained_with"])
    # The net follows the parameters it was trained with, even if others have been set since.
    maker = type(estimator)(**trained_with)
    maker.history_ = estimator.history_ = content["history"]
    maker._seed = estimator._seed = content["seed"]
    maker._scaling = estimator._scaling = InputScaling.from_state(content["scaling"])
    net = assemble(maker, plan, make_module(maker, plan), device)
    state = content["state"]
    _load(net.module_, state["module"], "module")
    _load(net.criterion_, state["objective"], "objective")
    if "optimizer" in state:
        _load_optimizer(net.optimizer_, state["optimizer"])
    net.n_steps_ = int(content["n_steps"])
    net.history.extend(content["epochs"])
    net.restore_best_losses()
    estimator.net_, estimator._plan, estimator._trained_with = net, plan, trained_with
    estimator._write_fitted()


def _versions() -> dict[str, str]:
    """Return versions of the libraries, to read when something differs."""
    from sklearn_aensae import __version__

    others = ("numpy", "safetensors", "scikit-learn", "skorch", "torch")
    return {"sklearn_aensae": __version__} | {name: version(name) for name in others}


def _load(module: torch.nn.Module, state: Mapping[str, Any], name: str) -> None:
    """Load the state of a module, refusing what `load_state_dict` would cast or miss."""
    expected = module.state_dict()
    state = {key: value for key, value in expected.items() if key in _NEW} | dict(state)
    if set(state) != set(expected):
        missing, foreign = set(expected) - set(state), set(state) - set(expected)
        raise LoadError(f"the {name} misses {sorted(missing)} and does not know {sorted(foreign)}.")
    for key, value in expected.items():
        if isinstance(value, Tensor):
            _check_like(state[key], value, f"{name}.{key}")
    module.load_state_dict(state)


def _load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load the state of an optimiser, whose tensors are scalars or shaped like weights."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    plain = isinstance(optimizer, torch.optim.Adam | torch.optim.AdamW | torch.optim.SGD)
    for i, values in state["state"].items():
        for key, value in values.items():
            if plain and isinstance(value, Tensor) and value.ndim:
                _check_like(value, parameters[i], f"optimizer.state.{i}.{key}")
    optimizer.load_state_dict(state)


def _check_like(value: Any, expected: Tensor, name: str) -> None:
    """Refuse a tensor of another shape or type."""
    found = (tuple(value.shape), value.dtype) if isinstance(value, Tensor) else value
    wanted = (tuple(expected.shape), expected.dtype)
    if found != wanted:
        raise LoadError(f"{name} has shape and type {found}; expected {wanted}.")
