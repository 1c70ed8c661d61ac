"""Several nets trained on the same batches, each as it would be trained alone."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from sklearn_aensae.exceptions import DivergenceError
from sklearn_aensae.training.batches import Batches
from sklearn_aensae.training.interrupts import noting_ctrl_c
from sklearn_aensae.training.net import SAENet

__all__ = ["Lockstep"]


class Lockstep:
    """Draws each batch once and lets every net take its step on it.

    A net that a callback stops early, or that diverges, drops out; the others go on.

    Parameters
    ----------
    nets : sequence of SAENet
        Initialised, none with a step taken.

    Attributes
    ----------
    interrupted_ : bool
        Whether the user stopped the training of all (Ctrl-C). All have then taken as many steps;
        if it was pressed twice, in the midst of a step, some may have taken one more.
    errors_ : dict of int to DivergenceError
        Why nets diverged, by their position.
    """

    def __init__(self, nets: Sequence[SAENet]) -> None:
        self.nets = nets
        self.interrupted_ = False
        self.errors_: dict[int, DivergenceError] = {}
        self._training = dict(enumerate(nets))

    def fit(self, batches: Batches, held_out: Batches | None, n_epochs: int) -> None:
        """Train for some epochs: the loop of skorch's `fit_loop`, once for all nets."""
        data = {"X": batches, "y": held_out}
        try:
            with noting_ctrl_c(self):
                try:
                    self._each(lambda _, net: net.notify("on_train_begin", **data))
                    self._run_epochs(batches, held_out, n_epochs)
                except KeyboardInterrupt:
                    for net in self._training.values():
                        net.module_.decoder.constrain_()
                self._end_all(data)
        finally:
            for net in self.nets:
                net.interrupted_ = self.interrupted_
                net.forget_epoch()
                net.release()

    def _run_epochs(self, batches: Batches, held_out: Batches | None, n_epochs: int) -> None:
        data = {"dataset_train": batches, "dataset_valid": held_out}
        for _ in range(n_epochs):
            self._each(lambda _, net: net.notify("on_epoch_begin", **data))
            self._run_pass(batches, "train", training=True)
            if held_out is not None:
                self._run_pass(held_out, "valid", training=False)
            self._each(lambda _, net: net.notify("on_epoch_end", **data))
            if not self._training:
                return

    def _run_pass(self, batches: Batches, prefix: str, *, training: bool) -> None:
        """Hand each batch to all nets, one after the other."""
        sums = {i: net.start_pass(training) for i, net in self._training.items()}
        for batch in batches:
            # Looked at once per batch, so that Ctrl-C finds all nets at the same step.
            for net in self._training.values():
                net.interrupted_ = self.interrupted_
            self._each(partial(_take, batch=batch, sums=sums, training=training))
            if not self._training:
                return
        self._each(lambda i, net: net.end_pass(prefix, sums[i]))

    def _each(self, act: Callable[[int, SAENet], Any]) -> None:
        """Let every net that still trains do something, or drop out."""
        for i, net in list(self._training.items()):
            try:
                act(i, net)
            except KeyboardInterrupt:
                if self.interrupted_:  # by the user, who stops all of them
                    raise
                net.module_.decoder.constrain_()
                self._end(i, {"X": None, "y": None})
            except DivergenceError as error:
                self._drop(i, error)

    def _end(self, i: int, data: dict[str, Batches | None]) -> None:
        """End a net's training where it is, once."""
        net = self._training.pop(i)
        net.forget_epoch()
        try:
            net.notify("on_train_end", **data)
        except DivergenceError as error:
            self.errors_[i] = error

    def _end_all(self, data: dict[str, Batches | None]) -> None:
        """End the training of those that still train; Ctrl-C cuts short the end of one only."""
        for i in list(self._training):
            with suppress(KeyboardInterrupt):
                self._end(i, data)

    def _drop(self, i: int, error: DivergenceError) -> None:
        """Leave a net with its last good weights."""
        del self._training[i]
        self.errors_[i] = error


def _take(
    i: int, net: SAENet, *, batch: Any, sums: dict[int, dict[str, Any]], training: bool
) -> None:
    """Let a net take a step, or compute its loss of a held-out batch."""
    step = net.train_step if training else net.validation_step
    net.run_batch(batch, step, sums[i], training=training)
