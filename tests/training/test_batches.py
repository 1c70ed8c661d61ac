"""Epochs of batches: their order is a function of seed and epoch, and training can start inside."""

import threading

import numpy as np
import pytest
import torch

from sklearn_aensae.sources import (
    ArraySource,
    BlockSource,
    InputScaling,
    Shards,
    Stream,
    StreamSource,
)
from sklearn_aensae.sources.prefetch import THREAD_NAME
from sklearn_aensae.training import Batches

X = np.arange(100, dtype=np.float32)[:, None]
SCALING = InputScaling(None, 1.0)


class Again:
    def __iter__(self):
        return iter(np.array_split(X, 7))


SOURCES = {
    "array": lambda: ArraySource(X, "cpu", torch.float32),
    "blocks": lambda: BlockSource(Shards([X[:33], X[33:]], "ab"), "cpu", torch.float32),
    "stream": lambda: StreamSource(Stream(Again()), "cpu", torch.float32),
}
each_source = pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES.keys())


def epoch(batches):
    return [batch[:, 0].tolist() for batch, _ in batches]


@each_source
@pytest.mark.parametrize("seed", [None, 7])
def test_a_later_start_sees_what_an_earlier_one_would_have_seen(make, seed):
    whole = Batches(make(), SCALING, 16, seed=seed)
    epochs = [epoch(whole) for _ in range(3)]
    assert [len(batches) for batches in epochs] == [7, 7, 7]
    assert (epochs[0] == epochs[1]) == (seed is None)
    late = Batches(make(), SCALING, 16, seed=seed, first_epoch=1, skip=3)
    assert [epoch(late) for _ in range(2)] == [epochs[1][3:], epochs[2]]


@each_source
@pytest.mark.parametrize("skip", [0, 2, 7])
def test_steps_are_counted_over_epochs_and_without_what_is_skipped(make, skip):
    batches = Batches(make(), SCALING, 16, seed=0, skip=skip, n_steps=10)
    lengths = [len(epoch(batches)) for _ in range(4)]
    assert lengths == {0: [7, 3, 0, 0], 2: [5, 5, 0, 0], 7: [0, 7, 3, 0]}[skip]
    assert batches.n_steps == 0


@each_source
def test_repeated_passes_are_one_iteration(make):
    repeated = Batches(make(), SCALING, 16, seed=0, n_steps=21, repeat=True)
    single = Batches(make(), SCALING, 16, seed=0)
    assert epoch(repeated) == [batch for _ in range(3) for batch in epoch(single)]
    assert epoch(repeated) == []
    assert len(epoch(Batches(make(), SCALING, 16, seed=0, n_steps=17, repeat=True))) == 17


@each_source
def test_scaling(make):
    batches = Batches(make(), InputScaling("mean_norm", 3.0), 16)
    np.testing.assert_array_equal(torch.cat([batch for batch, _ in batches]), 3 * X)


def threads():
    return [t for t in threading.enumerate() if t.name.startswith(THREAD_NAME)]


@pytest.mark.parametrize("name", ["blocks", "stream"])
def test_an_iteration_given_up_leaves_no_thread(name):
    batches = Batches(SOURCES[name](), SCALING, 16, seed=0)
    for _ in batches:
        assert threads()
        break
    batches.close()
    assert not threads()
    batches.close()
    # A new iteration ends the one before.
    first, second = iter(batches), iter(batches)
    next(second)
    assert next(first, None) is None
    assert len(threads()) == 1
    batches.close()
    assert not threads()
