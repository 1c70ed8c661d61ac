"""One thread that prepares the next item while the present one is in use."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

__all__ = ["THREAD_NAME", "prefetched"]

THREAD_NAME = "sklearn_aensae-prefetch"
"""How the thread's name begins, for debuggers and profilers."""

T = TypeVar("T")


@contextmanager
def prefetched(items: Iterator[T]) -> Iterator[Iterator[T]]:
    """Iterate over `items` one ahead, in a thread that does not outlive the context.

    Only one item is prepared at a time, so that never more than two are in memory. What goes
    wrong in the thread is raised where the item would have come.

    Parameters
    ----------
    items : iterator
        Runs in the thread; numpy and file reads let the step run meanwhile.

    Yields
    ------
    items : iterator
        The same items in the same order.

    Examples
    --------
    >>> from sklearn_aensae.sources.prefetch import prefetched
    >>> with prefetched(iter("ab")) as letters:
    ...     list(letters)
    ['a', 'b']
    """
    with ThreadPoolExecutor(1, thread_name_prefix=THREAD_NAME) as pool:
        yield _one_ahead(items, pool)


def _one_ahead(items: Iterator[T], pool: ThreadPoolExecutor) -> Iterator[T]:
    """Ask for the next item before handing out the present one."""

    def take() -> list[T]:
        return list(islice(items, 1))

    upcoming = pool.submit(take)
    while item := upcoming.result():
        upcoming = pool.submit(take)
        yield item.pop()
