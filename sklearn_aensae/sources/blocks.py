"""Rows on disk, shuffled in blocks: blocks at random positions are mixed in a buffer."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from sklearn_aensae.sources.base import BUFFER_BYTES, ChunkedSource, deal
from sklearn_aensae.sources.shards import Shards

__all__ = ["BLOCK_BYTES", "BlockSource", "rows_of_a_block"]

BLOCK_BYTES = 2**22
"""Bytes that are read in one go: enough for the full speed of a disk."""

BUFFER_ROWS = 2**21
"""Most rows in a buffer, if blocks are smaller: drawing an order takes some 40 bytes a row."""

RUN_ROWS = 64
"""Neighbouring rows in the calibration sample: single rows would each cost a disk access."""


class BlockSource(ChunkedSource):
    """Rows of shards that need not fit in memory.

    An epoch is a random order of blocks. Each `BUFFER_BYTES` of them form a buffer, whose rows
    are dealt to its batches while they are copied out of the mapped pages: the only copy.

    Parameters
    ----------
    shards : Shards of shape (n_samples, n_features)
        Rows.
    device : str
        Where batches go.
    dtype : torch.dtype
        What batches are converted to, on the device.
    blocks : Tensor of shape (n_blocks,) or None
        Numbers of the blocks that count; None for all.
    block_rows : int or None
        Rows of a block; None for `BLOCK_BYTES` of them.
    """

    def __init__(
        self,
        shards: Shards,
        device: str,
        dtype: torch.dtype,
        blocks: Tensor | None = None,
        block_rows: int | None = None,
    ) -> None:
        self.shards = shards
        self.block_rows = block_rows or rows_of_a_block(len(shards), shards.nbytes)
        if blocks is None:
            blocks = torch.arange(math.ceil(len(shards) / self.block_rows))
        self.blocks = blocks
        n_samples = sum(len(self._rows(block)) for block in blocks.tolist())
        super().__init__(shards.shape[1], n_samples, device, dtype)

    def chunks(
        self, batch_size: int, seed: int | None, first: int, stop: int | None
    ) -> Iterator[Tensor]:
        """Buffers of permuted rows, of nearly equal size; those to leave out are not read."""
        blocks, generator = self.blocks, torch.Generator()
        if seed is not None:
            generator.manual_seed(seed)
            blocks = blocks[torch.randperm(len(blocks), generator=generator)]
        group_size = min(BUFFER_BYTES // BLOCK_BYTES, BUFFER_ROWS // self.block_rows)
        n_buffers = math.ceil(len(blocks) / max(1, group_size))
        start = 0
        for group in blocks.tensor_split(n_buffers):
            if stop is not None and start >= stop:
                return
            ranges = [self._rows(block) for block in group.tolist()]
            n_rows = sum(map(len, ranges))
            # Drawn for buffers to leave out, too: what follows must not depend on `first`.
            order = None if seed is None else deal(n_rows, batch_size, generator)
            if start + n_rows > first:
                yield self._read(ranges, order)[max(0, first - start) :]
            start += n_rows

    def sample(self, n_rows: int, seed: int | None) -> Tensor:
        """Short runs of rows at random positions, or the first rows."""
        if seed is None:
            first = self.blocks[: math.ceil(n_rows / self.block_rows)].tolist()
            return self._read([self._rows(block) for block in first])[:n_rows].to(self.dtype)
        generator = torch.Generator().manual_seed(seed)
        n_runs = math.ceil(n_rows / min(RUN_ROWS, self.block_rows))
        chosen = self.blocks[torch.randint(len(self.blocks), (n_runs,), generator=generator)]
        runs = []
        for block, position in zip(
            chosen.tolist(), torch.rand(n_runs, generator=generator).tolist(), strict=True
        ):
            rows = self._rows(block)
            start = int(position * (max(0, len(rows) - RUN_ROWS) + 1))
            runs.append(rows[start : start + RUN_ROWS])
        return self._read(runs)[:n_rows].to(self.dtype)

    def split(self, fraction: float, seed: int) -> tuple["BlockSource", "BlockSource | None"]:
        """Part of the blocks and the rest: whole blocks, so that neighbours stay together."""
        if not fraction:
            return self, None
        n_rest = max(1, round(len(self.blocks) * fraction))
        if n_rest == len(self.blocks):
            raise ValueError(
                f"validation_fraction={fraction} leaves no block of {self.block_rows} rows to "
                f"train on; X has {n_rest}."
            )
        order = torch.randperm(len(self.blocks), generator=torch.Generator().manual_seed(seed))
        parts = (self.blocks[order[n_rest:].sort().values], self.blocks[order[:n_rest]])
        train, rest = (
            BlockSource(self.shards, self.device, self.dtype, part, self.block_rows)
            for part in parts
        )
        return train, rest

    def _rows(self, block: int) -> range:
        """Rows of a block."""
        start = block * self.block_rows
        return range(start, min(start + self.block_rows, len(self.shards)))

    def _read(self, ranges: list[range], order: Tensor | None = None) -> Tensor:
        """Rows of all ranges, in an order of their own: row i of the result is row order[i]."""
        n_rows = sum(map(len, ranges))
        places = np.arange(n_rows)
        if order is not None:
            places[order.numpy()] = np.arange(n_rows)
        result = np.empty((n_rows, self.n_features), self.shards.dtype)
        filled = 0
        for rows in ranges:
            for part in self.shards.parts(rows.start, rows.stop):
                result[places[filled : filled + len(part)]] = part
                filled += len(part)
        return torch.from_numpy(result)


def rows_of_a_block(n_rows: int, n_bytes: int) -> int:
    """Return how many of `n_rows` rows, which take `n_bytes`, make a block."""
    return max(1, BLOCK_BYTES * n_rows // n_bytes)
