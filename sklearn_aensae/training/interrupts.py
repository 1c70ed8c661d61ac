"""Ctrl-C lets the step under way end, so that nothing is left half done."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["noting_ctrl_c"]


@contextmanager
def noting_ctrl_c(owner: Any) -> Iterator[None]:
    """Set `owner.interrupted_` on the first Ctrl-C; the second one acts as it did before.

    Parameters
    ----------
    owner : object
        Whoever looks at its `interrupted_` before the next step.
    """
    previous = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: FrameType | None) -> None:
        if owner.interrupted_ and callable(previous):
            previous(number, frame)
        owner.interrupted_ = True

    # Python lets only the main thread set handlers, and only it receives Ctrl-C.
    if threading.current_thread() is not threading.main_thread() or previous is None:
        yield
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
