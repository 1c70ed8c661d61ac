"""Rows by index."""

import tracemalloc

import numpy as np
import pytest
import torch

from sklearn_aensae import L1SAE
from sklearn_aensae._devices import move
from sklearn_aensae.sources import ArraySource

X = np.random.default_rng(0).normal(size=(50, 4)) * 3 + 1


@pytest.mark.parametrize("kind", ["array", "tensor", "fortran", "read-only"])
def test_take(kind):
    data = {
        "array": X,
        "tensor": torch.tensor(X),
        "fortran": np.asfortranarray(X),
        "read-only": np.broadcast_to(X, X.shape),
    }[kind]
    source = ArraySource(data, "cpu", torch.float64)
    assert (source.n_samples, source.n_features) == (50, 4)
    rows = torch.tensor([3, 0, 41])
    np.testing.assert_array_equal(source.take(rows), X[[3, 0, 41]])
    np.testing.assert_array_equal(source.take(slice(5, 9)), X[5:9])
    assert ArraySource(data, "cpu", torch.float32).take(rows).dtype == torch.float32


def test_taking_does_not_alias_the_data():
    data = X.copy()
    ArraySource(data, "cpu", torch.float64).take(slice(0, 3)).zero_()
    np.testing.assert_array_equal(data, X)


@pytest.mark.parametrize("fetched", [1, 2 * 7 * 4, 10_000])
def test_batches_are_the_same_however_many_are_fetched_at_once(monkeypatch, fetched):
    takes, take = [], ArraySource.take
    monkeypatch.setattr("sklearn_aensae.sources.array.FETCHED_VALUES", fetched)
    monkeypatch.setattr(ArraySource, "take", lambda *args: takes.append(args) or take(*args))
    source = ArraySource(X, "cpu", torch.float64)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(3)).numpy()
    for seed, rows in [(None, X), (3, X[order])]:
        batches = list(source.batches(7, seed, skip=2))
        assert [len(batch) for batch in batches] == [7, 7, 7, 7, 7, 1]
        np.testing.assert_array_equal(torch.cat(batches), rows[14:])
        (batch,) = source.batches(7, seed, skip=3, n_batches=1)
        np.testing.assert_array_equal(batch, rows[21:28])
        assert not list(source.batches(7, seed, skip=8))
    assert len(takes) == 2 * ({1: 6, 56: 3}.get(fetched, 1) + 1)


def test_split_parts_the_rows():
    source = ArraySource(X, "cpu", torch.float64)
    train, rest = source.split(0.2, seed=0)
    assert (train.n_samples, rest.n_samples) == (40, 10)
    parts = torch.cat([train.take(slice(None)), rest.take(slice(None))]).numpy()
    np.testing.assert_array_equal(np.sort(parts[:, 0]), np.sort(X[:, 0]))
    again, _ = source.split(0.2, seed=0)
    torch.testing.assert_close(again.take(slice(None)), train.take(slice(None)))
    assert source.split(0.0, seed=0) == (source, None)


def test_fit_copies_batches_and_not_the_data():
    data = np.random.default_rng(0).normal(size=(400_000, 32)).astype(np.float32)
    sae = L1SAE(16, max_steps=5, batch_size=1024).fit(data[:2000])  # imports what is lazy
    tracemalloc.start()
    sae.fit(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert data.nbytes == 51_200_000
    assert peak < 15_000_000


def test_the_host_does_not_wait_for_a_copy_to_a_gpu():
    calls = []

    class Block:
        device = torch.device("cpu")

        def pin_memory(self):
            calls.append("pinned")
            return self

        def to(self, device, non_blocking=False):
            calls.append((device, non_blocking))
            return self

    move(Block(), "cuda:1")
    move(Block(), "cpu")
    assert calls == ["pinned", ("cuda:1", True), ("cpu", False)]
