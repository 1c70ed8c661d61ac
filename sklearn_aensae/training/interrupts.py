"""Ctrl-C lets what is under way end, so that nothing is left half done."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["ended_by_ctrl_c", "holding_ctrl_c", "noting_ctrl_c"]


@contextmanager
def noting_ctrl_c(owner: Any) -> Iterator[None]:
    """Set `owner.interrupted_` on the first Ctrl-C; the second one acts as it did before.

    Where it was ignored, it still is.

    Parameters
    ----------
    owner : object
        Whoever looks at its `interrupted_` before the next step.
    """
    previous = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: FrameType | None) -> None:
        if not owner.interrupted_:
            owner.interrupted_ = True
        elif callable(previous):
            previous(number, frame)
        else:  # the system's own way, which ends the process
            signal.signal(signal.SIGINT, previous)
            signal.raise_signal(signal.SIGINT)

    with _handled_by(note):
        yield


@contextmanager
def ended_by_ctrl_c(owner: Any) -> Iterator[None]:
    """Break off at Ctrl-C, and set `owner.interrupted_`."""
    try:
        yield
    except KeyboardInterrupt:
        owner.interrupted_ = True


@contextmanager
def holding_ctrl_c() -> Iterator[None]:
    """Let what belongs together and takes a moment end first: Ctrl-C acts after it."""
    pressed = False

    def hold(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True

    try:
        with _handled_by(hold):
            yield
    finally:
        if pressed:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let a function receive Ctrl-C, unless nobody is to."""
    previous = signal.getsignal(signal.SIGINT)
    # Python lets only the main thread set handlers, and only it receives Ctrl-C. None is a handler
    # of other code than Python's, which could not be set again.
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or previous in {None, signal.SIG_IGN}:
        yield
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
