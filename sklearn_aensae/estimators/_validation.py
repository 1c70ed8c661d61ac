"""What `X` may be: checked at the boundary, with messages that say what to do."""

import reprlib
from collections.abc import Iterable, Mapping, Set
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, validate_data
from torch import Tensor
from torch.utils.data import Dataset

from sklearn_aensae.sources import Rows, Shards, Stream, recognize

__all__ = [
    "FLOATS",
    "Data",
    "as_float",
    "count_features",
    "refuse_frames",
    "refuse_other_ranks",
    "validate_X",
    "validate_codes",
    "validate_features",
    "validate_rows",
]

Data: TypeAlias = NDArray[np.floating] | Tensor
FLOATS = [np.float64, np.float32, np.float16]


def validate_rows(estimator: BaseEstimator, X: Any) -> Rows:
    """Return rows to encode: as in training, except that a stream is refused.

    Raises
    ------
    ValueError, TypeError
        As in training.
    """
    rows = validate_X(estimator, X, reset=False)
    if isinstance(rows, Stream):
        raise ValueError(
            "X is a stream, which only fit and partial_fit take; call this method on its blocks."
        )
    return rows


def validate_X(estimator: BaseEstimator, X: Any, *, reset: bool) -> Rows | Stream:
    """Return `X` as a two-dimensional float array, tensor, shards or stream, without a copy.

    Values of shards and streams are checked later, when they are read.

    Raises
    ------
    ValueError, TypeError
        If `X` is not a finite numeric matrix with at least one row, or has another number of
        features than in `fit`.
    """
    refuse_other_ranks(X)
    if isinstance(X, Tensor):
        return _validate_tensor(estimator, X, reset=reset)
    if callable(X) and not isinstance(X, Iterable) and not hasattr(X, "__array__"):
        raise TypeError(
            f"X is the function {getattr(X, '__name__', X)!r} and not what it returns; call it, if "
            "that is an array or an iterator over blocks."
        )
    if isinstance(X, Dataset) and not isinstance(X, Iterable):
        raise TypeError(
            f"X is a {type(X).__name__}, which gives single samples; wrap it in a "
            "torch.utils.data.DataLoader, whose batches are blocks of rows."
        )
    # One of SciPy's sparse formats is a dict, too; it is refused as the others are.
    if X is None or (isinstance(X, Mapping | Set) and not hasattr(X, "shape")):
        raise TypeError(
            "X must be a matrix with a row per sample, in memory or on disk, or an iterable of "
            f"blocks of rows; got {'None' if X is None else f'a {type(X).__name__}'}."
        )
    X = recognize(X)
    if isinstance(X, Stream | Shards):
        count_features(estimator, X.n_features, reset=reset)
        return X
    _refuse_text(estimator, X)
    array: NDArray[np.floating] = validate_data(estimator, X, dtype=FLOATS, reset=reset)
    return array


def validate_codes(codes: Any, n_components: int) -> "Data | sparse.csr_array":
    """Return codes as a two-dimensional float array, CSR array or tensor.

    Raises
    ------
    ValueError
        If they are not a finite matrix with `n_components` columns.
    """
    if isinstance(codes, Tensor):
        codes = as_float(codes, "codes")
    else:
        codes = check_array(codes, accept_sparse="csr", dtype=FLOATS, input_name="codes")
        codes = sparse.csr_array(codes) if sparse.issparse(codes) else codes
    if codes.shape[1] != n_components:
        raise ValueError(
            f"codes has {codes.shape[1]} columns, but the estimator has {n_components} components."
        )
    checked: Data | sparse.csr_array = codes
    return checked


def validate_features(estimator: Any, features: Any) -> NDArray[np.int64]:
    """Return the asked components as indices.

    Raises
    ------
    ValueError
        If `features` is neither a mask of all components nor a list of different ones, or if
        the codes are to become a data frame, whose columns are all components.
    """
    n_components = estimator.n_components_
    asked = np.asarray(features)
    if asked.dtype == bool and asked.shape == (n_components,):
        asked = np.flatnonzero(asked)
    allowed = (
        f"features must hold different indices of components in [0, {n_components - 1}], or be a "
        f"mask of shape ({n_components},)"
    )
    if asked.ndim != 1 or not len(asked) or asked.dtype.kind not in "iu":
        raise ValueError(f"{allowed}; got shape {asked.shape} and dtype {asked.dtype}.")
    if asked.min() < 0 or asked.max() >= n_components or len(np.unique(asked)) < len(asked):
        raise ValueError(f"{allowed}; got {reprlib.repr(asked.tolist())}.")
    refuse_frames(estimator)
    return asked.astype(np.int64)


def refuse_frames(estimator: Any) -> None:
    """Refuse `features` of an estimator whose codes are to become a data frame.

    Raises
    ------
    ValueError
        If they are: columns of a frame are all components.
    """
    config = getattr(estimator, "_sklearn_output_config", {})
    container = config.get("transform") or get_config()["transform_output"]
    if container != "default":
        raise ValueError(
            f"features cannot be combined with set_output(transform={container!r}), whose columns "
            "are all components; select columns of the frame instead."
        )


def refuse_other_ranks(X: Any, name: str = "X") -> None:
    """Refuse three-dimensional input: the shape in which models give activations."""
    n_dims = X.ndim if hasattr(X, "ndim") else None
    if n_dims is not None and n_dims > 2:
        raise ValueError(
            f"{name} has {n_dims} dimensions, shape {tuple(X.shape)}; expected a matrix with one "
            "row per sample (a token, say). Reshape your data with "
            f"{name}.reshape(-1, {name}.shape[-1])."
        )


def _refuse_text(estimator: BaseEstimator, X: Any) -> None:
    """Refuse texts, and a path that leads nowhere, which looks like one."""
    if isinstance(X, str):
        raise ValueError(
            f"X is the string {reprlib.repr(X)}. As a path it leads nowhere: there is no such "
            "folder, and of files only those named .npy are read. A text goes in a list, to an "
            f"LLMActivationTransformer before the {type(estimator).__name__} in a Pipeline."
        )
    if _holds_text(X):
        raise ValueError(
            f"X holds text, but {type(estimator).__name__} expects numbers. Put an "
            "LLMActivationTransformer before it in a Pipeline to turn texts into activations."
        )


def _holds_text(X: Any) -> bool:
    """Whether `X` looks like texts: strings in a list, an array or a column."""
    if isinstance(X, bytes):
        return True
    if getattr(X, "ndim", 1) != 1 or not hasattr(X, "__len__") or not len(X):
        return False
    first = X.iloc[0] if hasattr(X, "iloc") else next(iter(X))
    return isinstance(first, str | bytes)


def _validate_tensor(estimator: BaseEstimator, X: Tensor, *, reset: bool) -> Tensor:
    """Check a tensor where it lives, and count its features as scikit-learn does."""
    X = as_float(X, "X")
    count_features(estimator, X.shape[1], reset=reset)
    return X


def as_float(X: Tensor, name: str) -> Tensor:
    """Check a tensor, and convert integers."""
    X = X.detach()
    _check_tensor(X, name)
    if X.is_floating_point():
        return X
    return X.to(torch.float64 if X.device.type != "mps" else torch.float32)


def count_features(estimator: BaseEstimator, n_features: int, *, reset: bool) -> None:
    """Have scikit-learn keep or check the number of features; it need not see values for that."""
    stand_in = np.broadcast_to(np.zeros(1, dtype=np.float32), (1, n_features))
    validate_data(estimator, stand_in, reset=reset, skip_check_array=True)


def _check_tensor(X: Tensor, name: str) -> None:
    """Refuse tensors that are not a finite, real matrix."""
    if X.layout != torch.strided or X.is_meta:
        raise TypeError(
            f"Dense data with values are required: {name} is a tensor of layout {X.layout} on "
            f"{X.device}. Use {name}.to_dense() to convert a sparse one."
        )
    if X.is_complex():
        raise ValueError(f"Complex data not supported: {name} has dtype {X.dtype}.")
    if X.ndim != 2:
        raise ValueError(
            f"Expected 2D {name}, got {X.ndim}D instead, shape {tuple(X.shape)}. Reshape your data "
            "using X.reshape(-1, 1) for one feature or X.reshape(1, -1) for one sample."
        )
    if 0 in X.shape:
        raise ValueError(
            f"Found array with {X.shape[0]} sample(s) and {X.shape[1]} feature(s) "
            f"(shape={tuple(X.shape)}) while a minimum of 1 is required in {name}."
        )
    # A finite sum proves all of X finite, in one pass without a mask as large as X.
    proved = not X.is_floating_point() or bool(X.sum(dtype=torch.float32).isfinite())
    if not proved and not bool(X.isfinite().all()):
        raise ValueError(f"Input {name} contains NaN or infinity.")
