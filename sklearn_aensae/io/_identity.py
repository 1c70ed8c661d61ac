"""Whether a checkpoint belongs to a fit: the same class, parameters and data."""

import hashlib
import inspect
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sklearn_aensae.io._classes import class_name
from sklearn_aensae.io._encoding import encode
from sklearn_aensae.io._parameters import to_plain
from sklearn_aensae.sources import Source

if TYPE_CHECKING:
    from sklearn_aensae.estimators import BaseSAE

__all__ = ["differences", "identify"]

FREE = {
    "checkpoint_dir",
    "checkpoint_interval",
    "device",
    "random_state",
    "sparse_output",
    "verbose",
    "warm_start",
}
"""Parameters that may change between runs; the seed stands for `random_state`."""

CODING = {"debias", "refine_steps", "transform_method"}
"""Parameters of `transform`: they may change, too, where `fit` ends without it, that is without
`decoder_refits` and `target_l0`."""

FINGERPRINT_ROWS = 256
"""Rows that are read to tell data apart."""


def identify(estimator: "BaseSAE", source: Source) -> dict[str, Any]:
    """Return what must be equal for a fit to be the same one, as plain values by name."""
    parameters = to_plain(estimator.get_params(deep=False))
    ends_with_codes = parameters.get("decoder_refits") or parameters.get("target_l0") is not None
    free = FREE if ends_with_codes else FREE | CODING
    identity = {
        "class": class_name(type(estimator)),
        **{name: value for name, value in parameters.items() if name not in free},
        "callbacks": [_describe(callback) for callback in estimator.callbacks],
        "seed of random_state": None if estimator.random_state is None else estimator._seed,
        "shape of X": [source.n_samples, source.n_features],
        "fingerprint of X": _fingerprint(source),
        # Left out where there are none: checkpoints of earlier versions do not have it.
        **({"columns of y": source.n_targets} if source.n_targets else {}),
    }
    plain: dict[str, Any] = encode(identity, {}, "")
    return plain


def differences(saved: Mapping[str, Any], present: Mapping[str, Any]) -> list[str]:
    """Return in words what differs between two identities."""
    return [
        f"{name} was {saved.get(name)!r} there and is {present.get(name)!r} here"
        for name in {**saved, **present}
        # As JSON, since 1 step and a share of 1.0 are not the same.
        if json.dumps(saved.get(name)) != json.dumps(present.get(name))
    ]


def _describe(callback: Any) -> str:
    """Return a callback's class and those of its parameters that are plain values."""
    names = inspect.signature(type(callback).__init__).parameters
    options = {
        name: value
        for name, value in vars(callback).items()
        if name in names and isinstance(value, bool | int | float | str)
    }
    return f"{type(callback).__name__}({json.dumps(options, sort_keys=True)})"


def _fingerprint(source: Source) -> str:
    """Return a checksum of up to 256 rows: random ones, or the first of a stream."""
    data = source.sample(FINGERPRINT_ROWS, seed=0).cpu().numpy().tobytes()
    return hashlib.sha256(data).hexdigest()[:16]
