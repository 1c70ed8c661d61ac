"""When a checkpoint is due, and the state of callbacks that belongs to it."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from skorch.callbacks import Callback

__all__ = ["Checkpoint", "attached", "callback_states"]


class Checkpoint(Callback):
    """Calls `write` every so many steps and when the user stops training; the last callback.

    Parameters
    ----------
    write : callable
        Takes the net and writes a checkpoint.
    interval : int
        Optimiser steps between two checkpoints.
    states : dict of str to dict
        States of the other callbacks, as `callback_states` returned them, to go on from.
    """

    def __init__(
        self, write: Callable[[Any], None], interval: int, states: Mapping[str, dict[str, Any]]
    ) -> None:
        self.write = write
        self.interval = interval
        self.states = states

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Give the others, who have just begun afresh, the state to go on from.

        Then write at once, so that what cannot be written is known before hours have passed.
        """
        for name, callback in net.callbacks_:
            state = self.states.get(name, {})
            if hasattr(callback, "load_state_dict"):
                if state:
                    callback.load_state_dict(state)
            else:
                vars(callback).update(state)
        self.states = {}
        self.write(net)

    def on_batch_begin(self, net: Any, **kwargs: Any) -> None:
        """Write a last checkpoint if the user has pressed Ctrl-C: the step will not be taken."""
        if net.interrupted_:
            self.write(net)

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Write a checkpoint if one is due."""
        if training and net.n_steps_ % self.interval == 0:
            self.write(net)


@contextmanager
def attached(net: Any, callback: Callback | None) -> Iterator[None]:
    """Let a callback take part in a training, after all others, and no longer."""
    if callback is None:
        yield
        return
    net.callbacks_.append(("checkpoint", callback))
    try:
        yield
    finally:
        net.callbacks_.pop()


def callback_states(net: Any) -> dict[str, dict[str, Any]]:
    """Return what callbacks have gathered in training, by name.

    That is their `state_dict()`, or all attributes that are no parameters of their constructor.
    """
    states = {}
    for name, callback in net.callbacks_:
        if isinstance(callback, Checkpoint):
            continue
        if hasattr(callback, "state_dict"):
            states[name] = callback.state_dict()
        else:
            parameters = inspect.signature(type(callback).__init__).parameters
            states[name] = {k: v for k, v in vars(callback).items() if k not in parameters}
    return states
