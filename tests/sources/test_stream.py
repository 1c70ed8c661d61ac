"""Streams: any iterable of blocks, one pass or several, and what can be wrong with them."""

import threading
from itertools import pairwise

import numpy as np
import pytest
import torch

from sklearn_aensae.sources import Stream, StreamSource, stream

X = np.random.default_rng(0).normal(size=(100, 3))
CUTS = [0, 0, 7, 8, 8, 60, 100, 100]
PARTS = [X[a:b] for a, b in pairwise(CUTS)]


def generator(parts=PARTS):
    yield from parts


class Again:
    def __iter__(self):
        return generator()


def source(blocks):
    return StreamSource(Stream(blocks), "cpu", torch.float64)


def joined(batches):
    return torch.cat(list(batches)).numpy()


@pytest.mark.parametrize("make", [generator, Again, lambda: map(torch.tensor, PARTS)])
def test_uneven_and_empty_blocks_give_full_batches(make):
    batches = list(source(make()).batches(16, None))
    assert [len(b) for b in batches] == [16] * 6 + [4]
    np.testing.assert_array_equal(joined(batches), X)


def test_blocks_looked_at_in_advance_come_again_and_once():
    whole = Stream(generator())
    assert sum(map(len, whole.head(50))) == 60
    assert sum(map(len, whole.head(10))) == 60
    np.testing.assert_array_equal(torch.cat(list(whole.blocks())), X)


@pytest.mark.parametrize("kind", [list, np.float16, np.int64, ">f8", "F"])
def test_what_a_block_may_be(kind):
    whole = np.arange(12.0).reshape(4, 3)
    block = {list: whole.tolist(), "F": np.asfortranarray(whole)}.get(kind)
    block = whole.astype(kind) if block is None else block
    np.testing.assert_array_equal(joined(source(iter([block])).batches(3, None)), whole)


def test_read_only_blocks_and_tensors_with_a_history():
    block = np.broadcast_to(X[0], (5, 3))
    with torch.inference_mode():
        inference = torch.ones(2, 3)
    grad = torch.ones(2, 3, requires_grad=True) * 2
    rows = torch.cat(list(source(iter([block, inference, grad])).batches(2, None)))
    assert len(rows) == 9
    assert not rows.requires_grad
    assert not rows.is_inference()


@pytest.mark.parametrize("seed", [None, 0])
def test_a_block_may_be_filled_again_by_whoever_yields_it(seed):
    def refilled():
        block = np.empty((10, 3))
        for start in range(0, 100, 10):
            block[:] = X[start : start + 10]
            yield block

    rows = joined(source(refilled()).batches(16, seed))
    np.testing.assert_array_equal(np.sort(rows, axis=0), np.sort(X, axis=0))


def test_no_more_blocks_are_taken_than_are_needed():
    taken = []

    def noting():
        for i, part in enumerate(np.array_split(X, 20)):
            taken.append(i)
            yield part

    for seed in (None, 0):
        taken.clear()
        assert len(joined(source(noting()).batches(4, seed, n_batches=5))) == 20
        assert taken == [0, 1, 2, 3]


def test_a_pass_given_up_does_not_wait_for_a_buffer(monkeypatch):
    monkeypatch.setattr(stream, "BUFFER_ROWS", 20)
    taken, go_on = [], threading.Event()

    def slow():
        for i in range(100):
            if i == 6:
                go_on.wait(10)  # in the second buffer, as the pass is given up
            taken.append(i)
            yield X[:5]

    batches = source(slow()).batches(5, 0)
    next(batches)
    threading.Timer(0.1, go_on.set).start()
    batches.close()
    assert len(taken) <= 7


@pytest.mark.parametrize("n_rows", [20, 27, 30, 31, 40, 59])
def test_a_stream_that_ends_within_a_buffer_is_read_to_its_end(n_rows, monkeypatch):
    monkeypatch.setattr(stream, "BUFFER_ROWS", 20)
    for n_batches in (None, 100):
        given = joined(source(iter([X[:n_rows]])).batches(3, 0, n_batches=n_batches))
        assert {tuple(row) for row in given} == {tuple(row) for row in X[:n_rows]}
        assert len(given) == n_rows


def test_an_end_that_is_known_and_one_that_comes_give_the_same_order(monkeypatch):
    monkeypatch.setattr(stream, "BUFFER_ROWS", 64)
    known = joined(source(generator()).batches(10, 0, n_batches=10))
    np.testing.assert_array_equal(known, joined(source(generator()).batches(10, 0)))


def test_an_iterator_gives_one_pass_and_an_iterable_any_number():
    again = source(Again())
    for _ in range(3):
        np.testing.assert_array_equal(joined(again.batches(16, None)), X)
    once = source(generator())
    joined(once.batches(16, None))
    with pytest.raises(ValueError, match="iterator and has given all of its 100 rows, but max_ste"):
        joined(once.batches(16, None))


def test_an_iterable_that_cannot_start_again_is_noticed():
    class Once:
        def __init__(self):
            self.blocks = generator()

        def __iter__(self):
            return self.blocks

    once = source(Once())
    np.testing.assert_array_equal(joined(once.batches(16, None)), X)
    with pytest.raises(ValueError, match="has given all of its 100 rows, but max_steps needs more"):
        joined(once.batches(16, None))


def test_blocks_may_come_in_lists_of_one():
    np.testing.assert_array_equal(joined(source(iter([[X[:60]], (X[60:],)])).batches(16, None)), X)


@pytest.mark.parametrize("blocks", [[], [X[:0]], [np.empty((0, 3))] * 3])
def test_streams_without_rows(blocks):
    with pytest.raises(ValueError, match="X is a stream without rows"):
        Stream(iter(blocks))
    used = generator()
    list(used)
    with pytest.raises(ValueError, match="this one may be used up"):
        Stream(used)


@pytest.mark.parametrize("n_rows", [0, 5])
def test_streams_without_features(n_rows):
    with pytest.raises(ValueError, match="block 0 has 0 features; at least 1 is required"):
        Stream(iter([np.empty((n_rows, 0))]))


BAD_BLOCKS = {
    "features": (X[:, :2], "block 2 has 2 features, but the first block has 3"),
    "no rows and other features": (X[:0, :2], "block 2 has 2 features"),
    "one dimension": (X[0], r"block 2 has 1 dimensions, shape \(3,\); expected a matrix"),
    "three dimensions": (X[None], "block 2 has 3 dimensions"),
    "text": (["a", "b"], "block 2 has dtype <U1; expected a matrix of real numbers"),
    "complex": (X * 1j, "block 2 has dtype complex128"),
    "complex tensor": (torch.ones(2, 3) * 1j, "block 2 .*complex numbers"),
    "NaN": (X * np.nan, "block 2 contains NaN"),
    "infinite tensor": (torch.full((2, 3), torch.inf), "block 2 contains NaN, infinity"),
    "a dictionary": ({"rows": X}, "block 2 has dtype object"),
    "nothing": (None, "block 2 has dtype object"),
}


@pytest.mark.parametrize(("block", "message"), BAD_BLOCKS.values(), ids=BAD_BLOCKS.keys())
def test_bad_blocks_are_named(block, message):
    batches = source(iter([X, X[:0], block, X])).batches(16, None)
    with pytest.raises(ValueError, match=message):
        list(batches)


def test_errors_of_the_stream_itself_come_through():
    def breaking():
        yield X
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(source(breaking()).batches(16, 0))


def test_nothing_can_be_held_out():
    whole = source(generator())
    assert whole.split(0.0, 0) == (whole, None)
    with pytest.raises(ValueError, match="validation_fraction=0.1 needs to know how many rows"):
        whole.split(0.1, 0)


def test_a_sample_of_mixed_types_loses_nothing():
    blocks = [np.array([[100_000, 1]]), np.array([[2, 3]], dtype=np.float16)]
    sample = StreamSource(Stream(blocks), "cpu", torch.float32).sample(2, None)
    assert sample.tolist() == [[100_000, 1], [2, 3]]


def test_long_doubles_are_read_as_doubles():
    rows = joined(source(iter([X.astype(np.longdouble)])).batches(16, None))
    np.testing.assert_array_equal(rows, X)
