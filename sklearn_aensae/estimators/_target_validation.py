"""What `y` may be, for estimators that reconstruct it: checked at the boundary, as `X` is."""

from typing import Any

from sklearn.utils.validation import check_array
from torch import Tensor

from sklearn_aensae.estimators._validation import (
    FLOATS,
    as_float,
    count_features,
    refuse_other_ranks,
    validate_X,
)
from sklearn_aensae.sources import PairStream, Rows, Shards, Stream, is_stream, recognize

__all__ = ["validate_pair", "validate_targets"]


def validate_pair(
    estimator: Any, X: Any, y: Any, *, reset: bool
) -> tuple[Rows | PairStream, Rows | None]:
    """Return rows and their targets, or a stream of pairs and None.

    Raises
    ------
    ValueError, TypeError
        If one of them is not what `X` may be, they differ in length, targets have another width
        than in `fit`, or there are none.
    """
    if y is None and is_stream(X):
        pairs = PairStream(X)
        count_features(estimator, pairs.n_features, reset=reset)
        _count_targets(estimator, pairs.n_targets, reset=reset)
        return pairs, None
    X = validate_X(estimator, X, reset=reset)
    if isinstance(X, Stream):
        raise ValueError("X is a stream; join y to it: a stream of pairs, as zip(X, y).")
    return X, validate_targets(estimator, y, len(X), reset=reset)


def validate_targets(estimator: Any, y: Any, n_rows: int, *, reset: bool) -> Rows:
    """Return targets as a two-dimensional float array, tensor or shards, without a copy.

    Those of one dimension are one column.

    Raises
    ------
    ValueError, TypeError
        If `y` is not a finite numeric matrix with `n_rows` rows, as wide as in `fit`.
    """
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} requires y to be passed, but the target y is None. "
            "Only fit and partial_fit do without, on a stream of pairs (x, y)."
        )
    refuse_other_ranks(y, "y")
    if isinstance(y, Tensor):
        targets = as_float(y.unsqueeze(1) if y.ndim == 1 else y, "y")
    else:
        targets = recognize(y, "y")
    if isinstance(targets, Stream):
        raise ValueError("y is a stream; join it to X: a stream of pairs, as zip(X, y).")
    if not isinstance(targets, Tensor | Shards):
        targets = check_array(targets, dtype=FLOATS, input_name="y", ensure_2d=False)
        targets = targets.reshape(len(targets), -1)
    if len(targets) != n_rows:
        raise ValueError(
            f"y has {len(targets)} rows, but X has {n_rows}: each row of X needs its target."
        )
    _count_targets(estimator, targets.shape[1], reset=reset)
    checked: Rows = targets
    return checked


def _count_targets(estimator: Any, n_targets: int, *, reset: bool) -> None:
    """Refuse targets of another width than in `fit`."""
    if not reset and n_targets != estimator._plan.n_targets:
        raise ValueError(
            f"y has {n_targets} columns, but {type(estimator).__name__} was fitted with "
            f"{estimator._plan.n_targets}."
        )
