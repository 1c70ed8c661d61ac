"""Batches of one epoch after another, drawn from a source and scaled on the device."""

from collections.abc import Generator, Iterator

from torch import Tensor

from sklearn_aensae.sources import InputScaling, Source

__all__ = ["Batches"]


class Batches:
    """Iterable over the scaled batches of an epoch; what skorch calls a data loader.

    Parameters
    ----------
    source : Source
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
        Batches of the first epoch that are left out, as they have been used before. Arrays and
        shards do not read them, a stream must be read up to where they end.
    n_steps : int or None
        Batches to hand out in all; None for no limit.
    repeat : bool
        Whether one iteration goes on, with pass after pass, until `n_steps` are reached: for
        sources of unknown length.
    """

    def __init__(
        self,
        source: Source,
        scaling: InputScaling,
        batch_size: int,
        *,
        seed: int | None = None,
        first_epoch: int = 0,
        skip: int = 0,
        n_steps: int | None = None,
        repeat: bool = False,
    ) -> None:
        self.source = source
        self.scaling = scaling
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = first_epoch
        self.skip = skip
        self.n_steps = n_steps
        self.repeat = repeat
        self._running: Generator[tuple[Tensor, Tensor]] | None = None

    def __iter__(self) -> Generator[tuple[Tensor, Tensor]]:
        """Yield rows and what is to be reconstructed of them: what skorch calls X and y."""
        self.close()
        self._running = self._iterate()
        return self._running

    def close(self) -> None:
        """End an iteration that was given up half-way, and the thread that reads for it."""
        if self._running is not None:
            self._running.close()
            self._running = None

    def _iterate(self) -> Generator[tuple[Tensor, Tensor]]:
        """One epoch, or all passes if they are to be repeated."""
        while self.n_steps != 0:
            seed = None if self.seed is None else self.seed + self.epoch
            self.epoch += 1
            for batch in self._pass(seed):
                if self.n_steps is not None:
                    self.n_steps -= 1
                yield self.scaling.prepare_(batch, self.source.n_targets)
            if not self.repeat:
                return

    def _pass(self, seed: int | None) -> Iterator[Tensor]:
        """One pass over the source, without what is still to be left out."""
        if not self.repeat:
            skip, self.skip = self.skip, 0
            yield from self.source.batches(self.batch_size, seed, skip=skip, n_batches=self.n_steps)
            return
        # Nobody knows how many passes those to be left out are.
        n_batches = None if self.n_steps is None else self.n_steps + self.skip
        for batch in self.source.batches(self.batch_size, seed, n_batches=n_batches):
            if self.skip:
                self.skip -= 1
            else:
                yield batch
