"""Batches are cut over the boundaries of chunks; every source keeps the contract."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from sklearn_aensae.sources import ArraySource, BlockSource, Shards, Stream, StreamSource, blocks
from sklearn_aensae.sources import base as base_module
from sklearn_aensae.sources import stream as stream_module
from sklearn_aensae.sources.base import rebatch

X = np.arange(1000 * 4, dtype=np.float32).reshape(1000, 4)
CUTS = [0, 130, 130, 131, 640, 1000]
PARTS = [X[a:b] for a, b in pairwise(CUTS)]


class Blocks:
    """An iterable that starts again."""

    def __init__(self, parts=PARTS):
        self.parts = parts

    def __iter__(self):
        return iter(self.parts)


MAKE = {
    "array": lambda: ArraySource(X, "cpu", torch.float32),
    "blocks": lambda: BlockSource(Shards(PARTS, "abcde"), "cpu", torch.float32),
    "stream": lambda: StreamSource(Stream(Blocks()), "cpu", torch.float32),
}
each_source = pytest.mark.parametrize("make", MAKE.values(), ids=MAKE.keys())


@pytest.fixture(autouse=True)
def small_buffers(monkeypatch):
    """Buffers of 256 rows, blocks of 16."""
    for module in (base_module, blocks, stream_module):
        monkeypatch.setattr(module, "BUFFER_BYTES", 256 * 16)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 16 * 16)


def joined(batches):
    return torch.cat(list(batches)).numpy()


@pytest.mark.parametrize("size", [1, 3, 100, 131, 5000])
def test_rebatch(size):
    chunks = [torch.from_numpy(part) for part in PARTS]
    batches = list(rebatch(chunks, size))
    assert [len(b) for b in batches[:-1]] == [size] * (len(batches) - 1)
    assert 0 < len(batches[-1]) <= size
    np.testing.assert_array_equal(joined(batches), X)
    assert not list(rebatch([], size))


@each_source
def test_order_of_the_source_without_a_seed(make):
    batches = list(make().batches(64, None))
    assert [len(b) for b in batches] == [64] * 15 + [40]
    np.testing.assert_array_equal(joined(batches), X)


@each_source
def test_each_epoch_has_every_row_once_in_an_order_of_its_own(make):
    source = make()
    epochs = [joined(source.batches(64, seed)) for seed in (0, 0, 1)]
    for rows in epochs:
        np.testing.assert_array_equal(np.sort(rows[:, 0]), X[:, 0])
    np.testing.assert_array_equal(epochs[0], epochs[1])
    assert (epochs[0] != epochs[2]).any(axis=1).mean() > 0.7
    np.testing.assert_array_equal(joined(make().batches(64, 0)), epochs[0])


@each_source
@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("skip", [0, 1, 4, 9, 15, 16])
def test_skipping_and_stopping_take_a_part_of_the_same_order(make, seed, skip):
    whole = list(make().batches(64, seed))
    for n_batches in (None, 2):
        part = list(make().batches(64, seed, skip=skip, n_batches=n_batches))
        expected = whole[skip:][:n_batches]
        assert len(part) == len(expected)
        if seed is None or n_batches is None or make is not MAKE["stream"]:
            for a, b in zip(part, expected, strict=True):
                torch.testing.assert_close(a, b)


@each_source
def test_dtype_and_counts(make):
    source = make()
    source.dtype = torch.float64
    batch = next(iter(source.batches(7, 0)))
    assert batch.dtype == torch.float64
    assert source.n_features == 4
    assert source.n_samples in {1000, None}


@each_source
@pytest.mark.parametrize("seed", [None, 0])
def test_samples_are_rows(make, seed):
    sample = make().sample(300, seed).numpy()
    assert sample.shape == (300, 4)
    assert np.isin(sample[:, 0], X[:, 0]).all()
    np.testing.assert_array_equal(sample, X[(sample[:, 0] // 4).astype(int)])
    if seed is None:
        np.testing.assert_array_equal(sample, X[:300])
