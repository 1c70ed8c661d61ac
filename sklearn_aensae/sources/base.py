"""The contract of a source: one epoch after another of rows, in an order drawn from a seed."""

import math
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator

import torch
from torch import Tensor

from sklearn_aensae._devices import move
from sklearn_aensae.sources.prefetch import prefetched

__all__ = ["BUFFER_BYTES", "ChunkedSource", "Source", "deal", "rebatch"]

BUFFER_BYTES = 2**28
"""Rows that are mixed with each other. Two buffers, one in use and one being prepared, and what
torch itself takes then stay well below 1.5 GB."""


class Source(ABC):
    """Rows to train on, wherever they are.

    Parameters
    ----------
    n_features : int
        Columns of the features.
    n_samples : int or None
        Rows per epoch; None if nobody knows before the end.
    device : str
        Where batches go.
    dtype : torch.dtype
        What batches are converted to, on the device.
    n_targets : int, default=0
        Columns of the target that each row has to the right of its features.
    """

    def __init__(
        self,
        n_features: int,
        n_samples: int | None,
        device: str,
        dtype: torch.dtype,
        n_targets: int = 0,
    ) -> None:
        self.n_features = n_features
        self.n_targets = n_targets
        self.n_samples = n_samples
        self.device = device
        self.dtype = dtype

    @abstractmethod
    def batches(
        self, batch_size: int, seed: int | None, *, skip: int = 0, n_batches: int | None = None
    ) -> Generator[Tensor]:
        """Batches of one epoch: those after the first `skip`, and at most `n_batches` of them.

        Each is in memory that its user may change. The order is a function of `seed`; None is the
        order of the source.
        """

    @abstractmethod
    def sample(self, n_rows: int, seed: int | None) -> Tensor:
        """Up to `n_rows` rows to learn scale and location from: random, or the first if no seed."""

    @abstractmethod
    def split(self, fraction: float, seed: int) -> tuple["Source", "Source | None"]:
        """Rows to train on and a random `fraction` of them to validate on (None if that is 0)."""


class ChunkedSource(Source):
    """Rows that come in pieces, each of which takes a while.

    A member implements `chunks`, `sample` and `split`; batches are cut from the chunks, over their
    boundaries, while a thread prepares the next chunk.
    """

    _epochs_left = 0

    @abstractmethod
    def chunks(
        self, batch_size: int, seed: int | None, first: int, stop: int | None
    ) -> Iterator[Tensor]:
        """Rows of one epoch, in pieces of any length.

        Parameters
        ----------
        batch_size : int
            Rows per batch that will be cut from the chunks.
        seed : int or None
            The order is a function of it; None for the order of the source.
        first : int
            Rows of the epoch to leave out.
        stop : int or None
            Row of the epoch after which nothing is needed; chunks may go on beyond it.
        """

    def batches(
        self, batch_size: int, seed: int | None, *, skip: int = 0, n_batches: int | None = None
    ) -> Generator[Tensor]:
        """Batches of one epoch, cut from chunks."""
        first = skip * batch_size
        stop = None if n_batches is None else first + n_batches * batch_size
        with prefetched(self.chunks(batch_size, seed, first, stop)) as chunks:
            try:
                for i, batch in enumerate(rebatch(chunks, batch_size)):
                    if i == n_batches:
                        return
                    yield move(batch, self.device).to(self.dtype)
            finally:
                # Tells `chunks`, which may be at work in the thread, that nobody wants the rest.
                self._epochs_left += 1


def deal(n_rows: int, batch_size: int, generator: torch.Generator) -> Tensor:
    """Random order of the rows of a buffer in which neighbours are in different batches.

    As cards are dealt, each run of `n_rows / batch_size` neighbouring rows gives one row to every
    batch, in random order. Neighbours, often tokens of one document, are then in the same batch
    only if a run ends between them, and a batch has its share of all parts of the buffer.
    """
    n_batches = math.ceil(n_rows / batch_size)
    runs = torch.rand(math.ceil(n_rows / n_batches), n_batches, generator=generator)
    return runs.argsort(dim=1).flatten()[:n_rows].argsort(stable=True)


def rebatch(chunks: Iterable[Tensor], size: int) -> Iterator[Tensor]:
    """Cut chunks of any length into batches of `size` rows; the last may be smaller."""
    pieces: list[Tensor] = []
    missing = size
    for chunk in chunks:
        start = 0
        while start < len(chunk):
            pieces.append(chunk[start : start + missing])
            start += len(pieces[-1])
            missing -= len(pieces[-1])
            if missing == 0:
                batch = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
                pieces, missing = [], size
                yield batch
    if pieces:
        yield torch.cat(pieces)
