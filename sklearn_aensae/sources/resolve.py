"""From what a user calls X to a source: the only place that asks for its type."""

from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sklearn_aensae.sources.array import ArraySource
from sklearn_aensae.sources.base import BUFFER_BYTES, Source
from sklearn_aensae.sources.blocks import BlockSource
from sklearn_aensae.sources.shards import Rows, Shards, is_mapped
from sklearn_aensae.sources.stream import Stream, StreamSource

__all__ = ["as_source", "is_stream", "recognize"]


def recognize(X: Any, name: str = "X") -> Any:
    """Recognise data that need not fit in memory; anything else is returned as it is.

    Parameters
    ----------
    X : object
        What `fit` was given.
    name : str, default="X"
        What messages call it.

    Returns
    -------
    X : Shards, Stream or object
        Shards for a memmap, a list of two-dimensional arrays, a .npy file or a folder of them; a
        Stream for an iterable of blocks.

    Raises
    ------
    ValueError, FileNotFoundError
        If it is one of these, but with something wrong in it.
    """
    if isinstance(X, Path) or _is_path(X):
        return Shards.open(Path(X), name)
    if getattr(X, "ndim", 0) == 2 and is_mapped(X):
        return Shards([X], [name], name)
    if _is_list_of_matrices(X):
        names = [f"{name}[{i}]" for i in range(len(X))]
        return Shards([_as_array(*pair) for pair in zip(X, names, strict=True)], names, name)
    return Stream(X) if is_stream(X) else X


def as_source(X: Rows | Stream, device: str, dtype: torch.dtype) -> Source:
    """Return where batches of `X` come from, `X` being what `recognize` returned, and valid.

    Parameters
    ----------
    X : ndarray, Tensor, Shards or Stream
        Rows. Shards that fit in one buffer are loaded, and treated like an array.
    device : str
        Where batches go.
    dtype : torch.dtype
        What batches are converted to.
    """
    if isinstance(X, Stream):
        return StreamSource(X, device, dtype)
    if isinstance(X, Shards) and X.nbytes > BUFFER_BYTES:
        return BlockSource(X, device, dtype)
    return ArraySource(X[:] if isinstance(X, Shards) else X, device, dtype)


def _is_path(X: Any) -> bool:
    """Whether a string names a folder, or a .npy file whether it is there or not."""
    if not isinstance(X, str):
        return False
    if X.endswith(".npy") and "\n" not in X:
        return True
    try:
        return Path(X).is_dir()
    except (OSError, ValueError):  # too long for a path, or with a null character
        return False


def _is_list_of_matrices(X: Any) -> bool:
    """Whether `X` is a list of shards, and not a matrix in the form of nested lists."""
    return (
        isinstance(X, list | tuple)
        and len(X) > 0
        and all(isinstance(x, np.ndarray | Tensor) and x.ndim > 1 for x in X)
    )


def _as_array(shard: Any, name: str) -> Any:
    """Return a shard that numpy can read."""
    if not isinstance(shard, Tensor):
        return shard
    if shard.device.type != "cpu" or shard.dtype == torch.bfloat16:
        raise ValueError(
            f"{name} is a tensor of dtype {shard.dtype} on {shard.device}; in a list, tensors "
            "must be on the CPU and of a type that numpy has. Join them with torch.cat."
        )
    return shard.detach().numpy()


def is_stream(X: Any) -> bool:
    """Whether `X` can be iterated over, but is neither an array of any kind nor a collection."""
    array_like = any(hasattr(X, name) for name in ("shape", "__array__", "__array_interface__"))
    collection = isinstance(X, str | bytes | Sequence | Mapping | Set)
    return isinstance(X, Iterable) and not array_like and not collection
