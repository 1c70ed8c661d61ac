"""The thread works one ahead, reports what goes wrong, and never stays behind."""

import threading

import pytest

from sklearn_aensae.sources.prefetch import THREAD_NAME, prefetched


def threads():
    return [t for t in threading.enumerate() if t.name.startswith(THREAD_NAME)]


def test_all_items_in_order():
    with prefetched(iter(range(100))) as items:
        assert list(items) == list(range(100))
    assert not threads()


def test_one_item_is_prepared_while_another_is_in_use():
    asked = [threading.Event() for _ in range(4)]

    def source():
        for i, event in enumerate(asked):
            event.set()
            yield i

    with prefetched(source()) as items:
        assert next(items) == 0
        assert asked[1].wait(5)
        assert not asked[2].is_set()
        assert next(items) == 1
        assert asked[2].wait(5)
        assert not asked[3].is_set()


def test_errors_come_in_their_place():
    def source():
        yield 1
        raise ValueError("block 1 is bad")

    with (
        pytest.raises(ValueError, match="block 1 is bad"),
        prefetched(source()) as items,
    ):
        assert next(items) == 1
        next(items)
    assert not threads()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_leaving_half_way_ends_the_thread(error):
    with pytest.raises(error), prefetched(iter(range(10))) as items:
        next(items)
        assert threads()
        raise error
    assert not threads()


def test_items_that_are_false_are_items():
    with prefetched(iter([0, None, ""])) as items:
        assert list(items) == [0, None, ""]
