"""Blocks of rows from any iterable: checked as they come, shuffled within a buffer."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sklearn_aensae._devices import move
from sklearn_aensae.sources.base import BUFFER_BYTES, ChunkedSource, deal

__all__ = ["Stream", "StreamSource", "as_matrix"]

BUFFER_ROWS = 2**18
"""Most rows in a buffer, however few features they have: an order is drawn before they come."""


class Stream:
    """Blocks of an iterable as checked tensors; the first ones can be looked at in advance.

    A subclass may read other blocks, with `n_targets` columns of targets on the right.

    Parameters
    ----------
    blocks : iterable of array-like or Tensor of shape (n_rows, n_features)
        Blocks of any length, 0 included. An iterator can be passed over once, any other
        iterable as often as it starts again.

    Raises
    ------
    ValueError
        If there is no row, or when a block is no finite real matrix with as many features as
        the first, at least one.
    """

    n_targets: int = 0

    def __init__(self, blocks: Iterable[Any]) -> None:
        self._blocks = blocks
        self._started: Iterator[Tensor] | None = self._check(iter(blocks))
        self._ahead: deque[Tensor] = deque()
        self._n_rows = 0
        self.n_features = -1
        if not self.head(1):
            raise ValueError(
                "X is a stream without rows. An iterator, such as a generator, can be used once; "
                "this one may be used up."
            )

    def head(self, n_rows: int) -> list[Tensor]:
        """Return the first blocks, of `n_rows` rows or more; the first pass gives them again."""
        assert self._started is not None, "the first pass has begun"
        held = sum(map(len, self._ahead))
        while held < n_rows and (block := next(self._started, None)) is not None:
            self._ahead.append(block)
            held += len(block)
        return list(self._ahead)

    def blocks(self, n_needed: int | None = None) -> Iterator[Tensor]:
        """One pass over the non-empty blocks, of which `n_needed` rows are to be used."""
        if self._started is not None:
            started, self._started = self._started, None
            while self._ahead:
                yield self._ahead.popleft()
            yield from started
        else:
            blocks, n_rows = iter(self._blocks), self._n_rows
            if blocks is not self._blocks:
                yield from self._check(blocks)
            if self._n_rows == n_rows:
                more = "more" if n_needed is None else f"{n_needed} more"
                raise ValueError(
                    f"X is an iterator and has given all of its {self._n_rows} rows, but max_steps "
                    f"needs {more}. Lower max_steps, or give an iterable that can start again: "
                    "a folder of shards, or an object whose __iter__ returns a new generator."
                )

    def _check(self, blocks: Iterator[Any]) -> Iterator[Tensor]:
        """Blocks as tensors of their own, as whoever yields them may fill the same array again."""
        for number, checked in enumerate(map(self._read, blocks, count())):
            n_features = checked.shape[1] - self.n_targets
            if self.n_features == -1:
                self.n_features = n_features
            if not n_features:
                raise ValueError(f"X: block {number} has 0 features; at least 1 is required.")
            if n_features != self.n_features:
                raise ValueError(
                    f"X: block {number} has {n_features} features, but the first block has "
                    f"{self.n_features}."
                )
            if len(checked):
                self._n_rows += len(checked)
                yield checked

    def _read(self, block: Any, number: int) -> Tensor:
        """Copy a block into a tensor; a DataLoader over a TensorDataset gives lists of one."""
        if isinstance(block, list | tuple) and len(block) == 1 and np.ndim(block[0]) == 2:
            block = block[0]
        return as_matrix(block, number)


class StreamSource(ChunkedSource):
    """Rows of a stream of unknown length, mixed within `BUFFER_BYTES` of consecutive ones.

    The buffer in which training ends holds no more rows than are needed: they may be expensive.

    Parameters
    ----------
    stream : Stream
        Blocks.
    device : str
        Where rows go as they come.
    dtype : torch.dtype
        What they are converted to.
    """

    def __init__(self, stream: Stream, device: str, dtype: torch.dtype) -> None:
        super().__init__(stream.n_features, None, device, dtype, stream.n_targets)
        self.stream = stream

    def chunks(
        self, batch_size: int, seed: int | None, first: int, stop: int | None
    ) -> Iterator[Tensor]:
        """Permuted buffers, or blocks as they come; rows to leave out are taken all the same."""
        chunks = self._until(stop)
        if seed is not None:
            generator = torch.Generator().manual_seed(seed)
            size = BUFFER_BYTES // ((self.n_features + self.n_targets) * self.dtype.itemsize)
            size = min(max(1, size), BUFFER_ROWS)
            chunks = _shuffle(chunks, size, stop, batch_size, generator)
        for chunk in chunks:
            if first < len(chunk):
                yield chunk[first:]
            first = max(0, first - len(chunk))

    def sample(self, n_rows: int, seed: int | None) -> Tensor:
        """Return the first rows: nobody knows what is to come."""
        # Not the common type of all: of integers and half precision, that is half precision.
        return torch.cat([block.to(self.dtype) for block in self.stream.head(n_rows)])[:n_rows]

    def split(self, fraction: float, seed: int) -> tuple["StreamSource", None]:
        """Refuse to hold out rows, which might be the only ones of their kind."""
        if fraction:
            raise ValueError(
                f"validation_fraction={fraction} needs to know how many rows X has, but X is a "
                "stream; set it to 0 and call score on data kept aside."
            )
        return self, None

    def _until(self, stop: int | None) -> Iterator[Tensor]:
        """Blocks up to the row `stop`, on the device: no block is asked for that is not needed."""
        epochs_left = self._epochs_left
        for block in self.stream.blocks(stop):
            if self._epochs_left != epochs_left:
                return  # nobody waits any more, and a whole buffer may take minutes
            rows = move(block[:stop], self.device).to(self.dtype)
            yield rows
            if stop is not None:
                stop -= len(rows)
                if stop == 0:
                    return


def _shuffle(
    blocks: Iterator[Tensor],
    size: int,
    stop: int | None,
    batch_size: int,
    generator: torch.Generator,
) -> Iterator[Tensor]:
    """Buffers of `size` rows, up to the row `stop`, dealt to batches as they come."""
    filled = 0
    for block in blocks:
        start = 0
        while start < len(block):
            if not filled:
                size = size if stop is None else min(size, stop)
                state = generator.get_state()
                places = deal(size, batch_size, generator).argsort().to(block.device)
                buffer = block.new_empty((size, block.shape[1]))
            piece = block[start : start + size - filled]
            buffer[places[filled : filled + len(piece)]] = piece
            start += len(piece)
            filled += len(piece)
            if filled == size:
                filled, stop = 0, None if stop is None else stop - size
                yield buffer
    if filled:
        # The stream ended too early for the order that was drawn: draw that of fewer rows.
        generator.set_state(state)
        order = places[:filled][deal(filled, batch_size, generator).to(places.device)]
        # In parts, as there is room for two buffers, and this is one of them.
        for part in order.split(max(1, size // 16)):
            yield buffer[part]


def as_matrix(block: Any, number: int, name: str = "X") -> Tensor:
    """Copy a block into a tensor, if it is a finite real matrix."""
    if isinstance(block, Tensor):
        rows = block.detach().clone()
    else:
        array = np.array(block)
        if array.dtype.kind not in "fiub":
            raise ValueError(
                f"{name}: block {number} has dtype {array.dtype}; expected a matrix of real "
                "numbers."
            )
        # Torch knows no longer floats than that.
        longest = np.float64 if array.dtype.itemsize > 8 else array.dtype.newbyteorder("=")
        rows = torch.from_numpy(array.astype(longest, copy=False))
    if rows.ndim != 2:
        raise ValueError(
            f"{name}: block {number} has {rows.ndim} dimensions, shape {tuple(rows.shape)}; "
            "expected a matrix with one row per sample (a token, say)."
        )
    if rows.is_complex() or not bool(rows.isfinite().all()):
        raise ValueError(f"{name}: block {number} contains NaN, infinity or complex numbers.")
    return rows
