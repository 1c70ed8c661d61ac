"""Whether estimators can be trained on the same batches."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch

from sklearn_aensae.estimators._base import BaseSAE
from sklearn_aensae.params import validate_params
from sklearn_aensae.sources import Source

__all__ = ["check_sources", "check_together", "take_over_inputs"]

FREE = {
    "n_components",
    "learning_rate",
    "lr_warmup",
    "lr_decay",
    "optimizer",
    "init",
    "dead_window",
    "log_interval",
    "warm_start",
    "checkpoint_dir",
    "checkpoint_interval",
    "callbacks",
    "matmul_precision",
    "sparse_output",
    "verbose",
}
"""Parameters of every estimator that have no part in what batches there are, and in which order."""

SHARED = sorted({field.name for field in fields(BaseSAE)} - FREE)


def check_together(estimators: Iterable[Any]) -> list[BaseSAE]:
    """Return the estimators as a list, if their parameters let them share batches.

    Raises
    ------
    ValueError, TypeError
        If they do not.
    """
    if isinstance(estimators, BaseSAE):
        raise TypeError("estimators must be a list of estimators; got a single one, use its fit.")
    saes = list(estimators)
    if not saes:
        raise ValueError("estimators must hold at least one estimator; it is empty.")
    for i, sae in enumerate(saes):
        if not isinstance(sae, BaseSAE):
            raise TypeError(
                f"estimators must hold sparse autoencoders; estimators[{i}] is of type "
                f"{type(sae).__name__}."
            )
        validate_params(sae)
        sae._check_parameters()
        _check_start(i, sae)
        _check_same(i, sae, saes[0])
    _check_no_object_twice("is the same object as", enumerate(saes))
    callbacks = ((i, callback) for i, sae in enumerate(saes) for callback in sae.callbacks)
    _check_no_object_twice("has a callback that also belongs to", callbacks)
    return saes


def _check_start(i: int, sae: BaseSAE) -> None:
    """Refuse what would have to go on from where something else ended."""
    if sae.checkpoint_dir is not None:
        raise ValueError(
            f"estimators[{i}] has checkpoint_dir={sae.checkpoint_dir!r}, but fit_many writes no "
            "checkpoints; set it to None."
        )
    if sae.warm_start and hasattr(sae, "net_"):
        raise ValueError(
            f"estimators[{i}] has warm_start=True and is fitted, so that it would keep the scaling "
            "of its last fit; fit_many starts all anew. Set warm_start=False, or clone it."
        )


def _check_same(i: int, sae: BaseSAE, first: BaseSAE) -> None:
    """Refuse parameters that need batches of one's own."""
    for name in SHARED:
        ours, theirs = getattr(sae, name), getattr(first, name)
        if not _equal(ours, theirs):
            raise ValueError(
                f"estimators[{i}] has {name}={ours!r}, but estimators[0] has {name}={theirs!r}: "
                f"estimators that share batches must agree in {', '.join(SHARED)}."
            )


def _equal(ours: Any, theirs: Any) -> bool:
    """Whether two parameters say the same; of generators of random numbers, their states."""
    if isinstance(ours, np.random.RandomState) and isinstance(theirs, np.random.RandomState):
        (kind, key, *rest), (other, others, *its) = ours.get_state(), theirs.get_state()
        return kind == other and np.array_equal(key, others) and rest == its
    if isinstance(ours, torch.device) or isinstance(theirs, torch.device):
        return str(ours) == str(theirs)
    return bool(ours == theirs)


def _check_no_object_twice(problem: str, owned: Iterable[tuple[int, object]]) -> None:
    """Refuse state that two trainings at once would mix up: objects with two owners."""
    owners: dict[int, int] = {}
    for i, thing in owned:
        other = owners.setdefault(id(thing), i)
        if other != i:
            raise ValueError(
                f"estimators[{i}] {problem} estimators[{other}]; give each its own, with "
                "sklearn.base.clone, for example."
            )


def check_sources(saes: Sequence[BaseSAE], source: Source) -> None:
    """Refuse estimators that take other data, or scale them otherwise.

    Raises
    ------
    ValueError
        If there are any.
    """
    first = saes[0]
    views = first._view_sizes(source.n_features)
    for i, sae in enumerate(saes):
        if type(sae)._make_source is not type(first)._make_source:
            raise ValueError(
                f"estimators[{i}], of {type(sae).__name__}, and estimators[0], of "
                f"{type(first).__name__}, take different data: one takes targets, the other does "
                "not."
            )
        own = sae._view_sizes(source.n_features)
        if own != views:
            raise ValueError(
                f"estimators[{i}] has views of {list(own)} columns, but estimators[0] of "
                f"{list(views)}; as views are scaled, they cannot share batches."
            )


def take_over_inputs(sae: BaseSAE, first: BaseSAE) -> None:
    """Have an estimator know of its input what the first one has found out."""
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(first, name):
            setattr(sae, name, getattr(first, name))
        elif hasattr(sae, name):
            delattr(sae, name)
