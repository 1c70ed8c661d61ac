"""Rows with a target each: two sources read in the same order, or a stream of pairs."""

from collections.abc import Generator
from contextlib import closing
from typing import Any

import torch
from torch import Tensor

from sklearn_aensae.sources.array import ArraySource
from sklearn_aensae.sources.base import BUFFER_BYTES, Source
from sklearn_aensae.sources.blocks import BlockSource, rows_of_a_block
from sklearn_aensae.sources.shards import Rows, Shards
from sklearn_aensae.sources.stream import Stream, StreamSource, as_matrix

__all__ = ["PairStream", "PairedSource", "as_paired_source"]


class PairedSource(Source):
    """Rows of two sources side by side: features, and targets to the right of them.

    The order of an epoch is a function of the seed and of what the two have in common: the number
    of rows and, of blocks, their lengths.

    Parameters
    ----------
    rows, targets : Source
        With as many rows each, on the same device and in the same order.
    """

    def __init__(self, rows: Source, targets: Source) -> None:
        super().__init__(
            rows.n_features, rows.n_samples, rows.device, rows.dtype, targets.n_features
        )
        self.parts = (rows, targets)

    def batches(
        self, batch_size: int, seed: int | None, *, skip: int = 0, n_batches: int | None = None
    ) -> Generator[Tensor]:
        """Batches of both side by side: joined one by one, so that no chunk is held twice."""
        rows, targets = (
            part.batches(batch_size, seed, skip=skip, n_batches=n_batches) for part in self.parts
        )
        with closing(rows), closing(targets):
            for pair in zip(rows, targets, strict=True):
                yield torch.cat(pair, 1)

    def sample(self, n_rows: int, seed: int | None) -> Tensor:
        """Rows with their targets: random, or the first."""
        return torch.cat([part.sample(n_rows, seed) for part in self.parts], 1)

    def split(self, fraction: float, seed: int) -> tuple["PairedSource", "PairedSource | None"]:
        """Part of the pairs and the rest."""
        rows, targets = (part.split(fraction, seed) for part in self.parts)
        if rows[1] is None or targets[1] is None:
            return self, None
        return PairedSource(rows[0], targets[0]), PairedSource(rows[1], targets[1])


class PairStream(Stream):
    """Blocks of an iterable of pairs (x, y), each as one checked tensor, y to the right of x.

    Parameters
    ----------
    blocks : iterable of pairs of array-like or Tensor, (n_rows, n_features) and (n_rows, n_targets)
        As in `Stream`.

    Raises
    ------
    ValueError
        As in `Stream`; and for a block that is no pair, or whose parts differ in length.
    """

    def _read(self, block: Any, number: int) -> Tensor:
        """Copy a pair into a tensor."""
        if not isinstance(block, tuple | list) or len(block) != 2:
            raise ValueError(
                f"X: block {number} is of type {type(block).__name__}; a stream that comes without "
                "y must give pairs (x, y)."
            )
        x, y = (as_matrix(part, number, name) for part, name in zip(block, "Xy", strict=True))
        if len(x) != len(y):
            raise ValueError(f"Block {number} has {len(x)} rows of X, but {len(y)} of y.")
        if not self.n_targets:
            self.n_targets = y.shape[1]
        if not y.shape[1] or y.shape[1] != self.n_targets:
            raise ValueError(
                f"y: block {number} has {y.shape[1]} columns; expected "
                f"{self.n_targets or 'at least 1'}."
            )
        # The common type of integers and a narrow float would be the narrow float.
        x, y = (part if part.is_floating_point() else part.double() for part in (x, y))
        return torch.cat([x, y], 1)


def as_paired_source(
    X: Rows | PairStream, y: Rows | None, device: str, dtype: torch.dtype
) -> Source:
    """Return where batches of rows and their targets come from; both are valid, of equal length.

    Parameters
    ----------
    X : ndarray, Tensor, Shards or PairStream
        Rows. If they or the targets are shards, and both together do not fit in one buffer, both
        are read in blocks.
    y : ndarray, Tensor, Shards or None
        Targets; None for a stream of pairs.
    device : str
        Where batches go.
    dtype : torch.dtype
        What batches are converted to.
    """
    if isinstance(X, PairStream):
        return StreamSource(X, device, dtype)
    assert y is not None
    n_bytes = X.nbytes + y.nbytes
    if n_bytes > BUFFER_BYTES and (isinstance(X, Shards) or isinstance(y, Shards)):
        block_rows = rows_of_a_block(len(X), n_bytes)
        rows, targets = (
            BlockSource(shards, device, dtype, block_rows=block_rows)
            for shards in (_as_shards(X, "X"), _as_shards(y, "y"))
        )
        return PairedSource(rows, targets)
    in_memory = (part[:] if isinstance(part, Shards) else part for part in (X, y))
    return PairedSource(*(ArraySource(part, device, dtype) for part in in_memory))


def _as_shards(rows: Rows, name: str) -> Shards:
    """Return rows in memory as shards, to be read in the same order as those on disk."""
    if isinstance(rows, Tensor):
        raise ValueError(
            f"{name} is a tensor, but what belongs to it is on disk and larger than memory may "
            f"hold; give {name} as an array, or on disk, too."
        )
    return rows if isinstance(rows, Shards) else Shards([rows], [name], name)
