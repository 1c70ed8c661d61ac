"""Blocks of shards: how well they are mixed, what is read, and what is held out."""

import numpy as np
import pytest
import torch

from sklearn_aensae.sources import BlockSource, Shards, Stream, StreamSource, blocks, stream
from sklearn_aensae.sources.base import deal
from sklearn_aensae.sources.blocks import RUN_ROWS

N_ROWS, BATCH, BUFFER, BLOCK, DOCUMENT = 64_000, 50, 4_000, 250, 40
ROWS = np.arange(N_ROWS, dtype=np.float64)[:, None]


@pytest.fixture(autouse=True)
def small_buffers(monkeypatch):
    for module in (blocks, stream):
        monkeypatch.setattr(module, "BUFFER_BYTES", BUFFER * 8)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", BLOCK * 8)


def from_shards():
    shards = Shards([ROWS[:30_010], ROWS[30_010:]], "ab")
    return BlockSource(shards, "cpu", torch.float64)


def from_stream():
    parts = np.array_split(ROWS, 777)
    return StreamSource(Stream(parts.__iter__()), "cpu", torch.float64)


def batch_of_each_row(source, seed=0):
    """For every row the number of the batch that it is in."""
    number = np.full(N_ROWS, -1)
    for i, batch in enumerate(source.batches(BATCH, seed)):
        number[batch[:, 0].long().numpy()] = i
    assert (number >= 0).all()
    return number


@pytest.mark.parametrize("make", [from_shards, from_stream])
def test_neighbours_share_a_batch_no_more_than_by_chance(make):
    """Chance is that of a permutation of all rows, though a buffer holds a sixteenth of them."""
    number = batch_of_each_row(make())
    chance = (BATCH - 1) / (N_ROWS - 1)
    assert (number[1:] == number[:-1]).mean() < 2 * chance


@pytest.mark.parametrize("make", [from_shards, from_stream])
def test_documents_share_a_batch_no_more_than_by_chance_in_the_buffer(make):
    documents = batch_of_each_row(make()).reshape(-1, DOCUMENT)
    same = documents[:, :, None] == documents[:, None, :]
    pairs = (same.sum() - N_ROWS) / (len(documents) * DOCUMENT * (DOCUMENT - 1))
    chance = (BATCH - 1) / (BUFFER - 1)
    assert pairs < chance


def test_batches_mix_distant_parts_of_shards():
    spread = [batch[:, 0].std() for batch in from_shards().batches(BATCH, 0)]
    # Sixteen blocks out of 256 give a buffer; uniform rows have a deviation of n / sqrt(12).
    assert np.mean(spread) > 0.8 * N_ROWS / np.sqrt(12)


@pytest.mark.parametrize(("n_rows", "batch_size"), [(1000, 10), (1003, 10), (7, 10), (15, 10)])
def test_dealing_is_a_permutation_with_one_row_of_each_run_in_each_batch(n_rows, batch_size):
    order = deal(n_rows, batch_size, torch.Generator().manual_seed(0)).numpy()
    np.testing.assert_array_equal(np.sort(order), np.arange(n_rows))
    if n_rows == 1000:
        runs = order.reshape(100, 10) // 100
        np.testing.assert_array_equal(np.sort(runs), np.tile(np.arange(10), (100, 1)))
        # Which one it is is random.
        assert 35 < (order.reshape(100, 10) % 100).mean() < 65
        assert len({tuple(b) for b in order.reshape(100, 10) % 100}) == 100


def read_ranges(monkeypatch):
    """Rows that shards are asked for from now on."""
    read, parts = [], Shards.parts

    def noted(self, start, stop):
        read.append((start, stop))
        return parts(self, start, stop)

    monkeypatch.setattr(Shards, "parts", noted)
    return read


def test_skipped_buffers_are_not_read(monkeypatch):
    read = read_ranges(monkeypatch)
    n_batches = N_ROWS // BATCH
    assert len(list(from_shards().batches(BATCH, 0, skip=n_batches - 10))) == 10
    assert sum(stop - start for start, stop in read) == BUFFER


def test_nothing_is_read_that_is_not_needed(monkeypatch):
    read = read_ranges(monkeypatch)
    assert len(list(from_shards().batches(BATCH, 0, n_batches=3))) == 3
    assert sum(stop - start for start, stop in read) == BUFFER


def test_a_buffer_holds_so_many_rows_only_however_few_features_they_have(monkeypatch):
    monkeypatch.setattr(blocks, "BUFFER_ROWS", 1000)
    lengths = [len(chunk) for chunk in from_shards().chunks(BATCH, 0, 0, None)]
    assert lengths == [1000] * 64
    # A block is the least that a buffer can hold.
    monkeypatch.setattr(blocks, "BUFFER_ROWS", 10)
    assert {len(chunk) for chunk in from_shards().chunks(BATCH, 0, 0, None)} == {BLOCK}


def test_split_holds_out_whole_blocks():
    train, rest = from_shards().split(0.1, seed=0)
    assert (train.n_samples, rest.n_samples) == (N_ROWS - 26 * BLOCK, 26 * BLOCK)
    parts = [torch.cat(list(s.batches(BATCH, None)))[:, 0] for s in (train, rest)]
    assert np.array_equal(np.sort(torch.cat(parts)), ROWS[:, 0])
    assert len(np.unique(parts[1] // BLOCK)) == 26
    sample = train.sample(5000, seed=1)[:, 0]
    assert np.isin(sample, parts[0]).all()
    assert torch.equal(train.sample(5000, seed=None)[:, 0], parts[0][:5000])
    again, _ = from_shards().split(0.1, seed=0)
    assert torch.equal(again.blocks, train.blocks)
    assert train.split(0.0, seed=0) == (train, None)
    with pytest.raises(ValueError, match=r"validation_fraction=0.9999 leaves no block of 250 rows"):
        from_shards().split(0.9999, seed=0)


def test_the_sample_comes_from_all_parts():
    sample = from_shards().sample(6400, seed=0)[:, 0].numpy()
    assert len(sample) == 6400
    assert len(np.unique(sample // BLOCK)) > 60
    assert sample.mean() == pytest.approx(N_ROWS / 2, rel=0.2)
    runs = np.diff(sample) == 1
    assert runs.mean() > 0.95


def test_any_row_of_a_block_may_be_in_the_sample():
    rows = np.arange(RUN_ROWS + 1, dtype=np.float32)[:, None]
    source = BlockSource(Shards([rows], ["X"]), "cpu", torch.float32)
    drawn = torch.cat([source.sample(RUN_ROWS, seed) for seed in range(20)])
    assert set(drawn.flatten().tolist()) == set(range(RUN_ROWS + 1))
