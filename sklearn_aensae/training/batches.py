"""Batches of one epoch after another, drawn from a source by index and scaled on the device."""

from collections.abc import Iterator

import torch
from torch import Tensor

from sklearn_aensae.sources import ArraySource, InputScaling

__all__ = ["Batches"]


class Batches:
    """Iterable over the scaled batches of an epoch; what skorch calls a data loader.

    Parameters
    ----------
    source : ArraySource
        Rows.
    scaling : InputScaling
        Applied to each batch.
    batch_size : int
        Rows per batch; the last batch of an epoch may be smaller.
    seed : int or None
        The order of rows in epoch e is drawn from `seed + e`, so that it depends on nothing
        that would have to be saved; None keeps the order of the source.
    first_epoch : int
        Number of the first epoch.
    skip : int
        Batches of the first epoch that have been handed out before.
    n_steps : int or None
        Batches to hand out in all; None for no limit.
    """

    def __init__(
        self,
        source: ArraySource,
        scaling: InputScaling,
        batch_size: int,
        *,
        seed: int | None = None,
        first_epoch: int = 0,
        skip: int = 0,
        n_steps: int | None = None,
    ) -> None:
        self.source = source
        self.scaling = scaling
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = first_epoch
        self.skip = skip
        self.n_steps = n_steps

    def __iter__(self) -> Iterator[tuple[Tensor, None]]:
        """Yield (batch, None), the pairs that skorch unpacks into X and y."""
        n_samples = self.source.n_samples
        order = None
        if self.seed is not None:
            generator = torch.Generator().manual_seed(self.seed + self.epoch)
            order = torch.randperm(n_samples, generator=generator)
        self.epoch += 1
        first, self.skip = self.skip * self.batch_size, 0
        for start in range(first, n_samples, self.batch_size):
            if self.n_steps is not None:
                if self.n_steps == 0:
                    return
                self.n_steps -= 1
            stop = min(start + self.batch_size, n_samples)
            rows = slice(start, stop) if order is None else order[start:stop]
            yield self.scaling.scale(self.source.take(rows)), None
