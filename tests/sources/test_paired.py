"""Rows and their targets stay together, wherever they are and in whatever order they come."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from helpers import make_data, quick, targets_of

from sklearn_aensae import Transcoder
from sklearn_aensae.sources import (
    BlockSource,
    PairedSource,
    PairStream,
    Shards,
    as_paired_source,
    blocks,
    paired,
    recognize,
    stream,
)
from sklearn_aensae.sources import base as base_module

N_ROWS = 700
X = np.arange(N_ROWS, dtype=np.float32)[:, None] * np.ones(3, dtype=np.float32)
Y = -X[:, :1] * np.ones(5, dtype=np.float64)
CUTS = [0, 130, 130, 131, 640, N_ROWS]


class Pairs:
    """Blocks of uneven length, as often as asked for."""

    def __iter__(self):
        return ((X[a:b], Y[a:b]) for a, b in pairwise(CUTS))


@pytest.fixture
def small_buffers(monkeypatch):
    """Buffers of 128 rows, blocks of 16: rows of 12 bytes with targets of 40."""
    for module in (base_module, blocks, paired, stream):
        monkeypatch.setattr(module, "BUFFER_BYTES", 128 * 52)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 16 * 52)


def shards(rows, cuts, name):
    return Shards(
        [rows[a:b] for a, b in pairwise(cuts)], [str(i) for i in range(len(cuts) - 1)], name
    )


MAKE = {
    "arrays": lambda: (X, Y),
    "array and tensor": lambda: (X, torch.tensor(Y)),
    "shards": lambda: (shards(X, CUTS, "X"), shards(Y, [0, 350, N_ROWS], "y")),
    "shards and array": lambda: (shards(X, CUTS, "X"), Y),
    "array and shards": lambda: (X, shards(Y, CUTS, "y")),
    "stream": lambda: (PairStream(Pairs()), None),
}
each = pytest.mark.parametrize("make", MAKE.values(), ids=MAKE.keys())


def source_of(make):
    return as_paired_source(*make(), "cpu", torch.float32)


def assert_paired(rows):
    assert rows.shape[1] == 8
    assert (rows == rows[:, :1] * torch.tensor([1, 1, 1, -1, -1, -1, -1, -1])).all()


@each
@pytest.mark.parametrize("seed", [None, 3])
def test_pairs_stay_together(make, seed, small_buffers):
    source = source_of(make)
    assert (source.n_features, source.n_targets) == (3, 5)
    batches = list(source.batches(32, seed))
    for batch in batches:
        assert_paired(batch)
    assert [len(batch) for batch in batches] == [32] * 21 + [28]
    order = torch.cat(batches)[:, 0].numpy()
    np.testing.assert_array_equal(np.sort(order), X[:, 0])
    assert (order == X[:, 0]).all() == (seed is None)
    late = list(source_of(make).batches(32, seed, skip=5, n_batches=4))
    early = list(source_of(make).batches(32, seed, n_batches=9))
    assert torch.equal(torch.cat(late), torch.cat(early[5:]))
    assert_paired(source_of(make).sample(100, seed))


@each
def test_held_out_pairs(make, small_buffers):
    source = source_of(make)
    if source.n_samples is None:
        assert source.split(0.0, 0) == (source, None)
        with pytest.raises(ValueError, match="validation_fraction=0.2 needs to know how many"):
            source.split(0.2, 0)
        return
    train, rest = source.split(0.2, 0)
    rows = [torch.cat(list(part.batches(32, 1))) for part in (train, rest)]
    for part in rows:
        assert_paired(part)
    np.testing.assert_array_equal(np.sort(torch.cat(rows)[:, 0]), X[:, 0])
    assert source.split(0.0, 0) == (source, None)


def test_two_on_disk_share_one_buffer(small_buffers):
    source = source_of(MAKE["shards"])
    assert isinstance(source, PairedSource)
    for part in source.parts:
        assert isinstance(part, BlockSource)
        assert part.block_rows == 16
        assert max(len(chunk) for chunk in part.chunks(32, 0, 0, None)) <= 128


def test_a_tensor_beside_what_is_on_disk(small_buffers):
    with pytest.raises(ValueError, match="y is a tensor, but what belongs to it is on disk"):
        as_paired_source(shards(X, CUTS, "X"), torch.tensor(Y), "cpu", torch.float32)


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        ([X[:5]], "block 0 is of type ndarray; a stream that comes without y must give pairs"),
        ([(X[:5], Y[:5]), (X[:5], Y[:4])], "Block 1 has 5 rows of X, but 4 of y"),
        ([(X[:5], Y[:5]), (X[:5], Y[:5, :2])], "y: block 1 has 2 columns; expected 5"),
        ([(X[:5], Y[:5]), (X[:5, :2], Y[:5])], "X: block 1 has 2 features, but the first .* has 3"),
        ([(X[:5, :0], Y[:5])], "X: block 0 has 0 features; at least 1 is required"),
        ([(X[:5], Y[:5, :0])], "y: block 0 has 0 columns; expected at least 1"),
        ([(X[:5], np.full((5, 5), np.nan))], "y: block 0 contains NaN"),
        ([(X[:5], Y[0])], "y: block 0 has 1 dimensions"),
    ],
)
def test_bad_pairs(stream, message):
    with pytest.raises(ValueError, match=message):
        list(PairStream(iter(stream)).blocks())


def test_errors_of_targets_name_y(tmp_path):
    with pytest.raises(FileNotFoundError, match="y is the path"):
        recognize(tmp_path / "nowhere", "y")
    with pytest.raises(ValueError, match="y is the folder"):
        recognize(tmp_path, "y")
    bad = Y.copy()
    bad[3, 2] = np.nan
    with pytest.raises(
        ValueError, match=r"Input y contains NaN or infinity, first in row 3 of y\[0\]"
    ):
        recognize([bad], "y")[:]


ROWS = make_data(600)
TARGETS = targets_of(ROWS)


def test_paths_and_streams_give_what_arrays_give(tmp_path):
    for name, data in (("X", ROWS), ("y", TARGETS)):
        (tmp_path / name).mkdir()
        for i, part in enumerate(np.array_split(data, 3 if name == "X" else 4)):
            np.save(tmp_path / name / f"{i}.npy", part)
    held_out = {"validation_fraction": 0.2, "batch_size": 100}
    expected = quick(Transcoder, **held_out).fit(ROWS, TARGETS)
    found = quick(Transcoder, **held_out).fit(tmp_path / "X", tmp_path / "y")
    np.testing.assert_array_equal(found.components_, expected.components_)
    assert found.net_.history[:, "valid_loss"] == expected.net_.history[:, "valid_loss"]
    assert found.score(tmp_path / "X", tmp_path / "y") == expected.score(ROWS, TARGETS)
    params = {"shuffle": False, "max_steps": 19}
    zipped = zip(np.array_split(ROWS, 7), np.array_split(TARGETS, 7), strict=True)
    streamed = quick(Transcoder, **params).fit(zipped)
    in_order = quick(Transcoder, **params).fit(ROWS, TARGETS)
    np.testing.assert_array_equal(streamed.components_, in_order.components_)
    with pytest.raises(ValueError, match=r"X is a stream; join y to it"):
        quick(Transcoder, max_steps=5).fit(iter([ROWS]), TARGETS)
    with pytest.raises(ValueError, match="X is a stream, which only fit and partial_fit take"):
        streamed.score(iter([ROWS]), TARGETS)


def test_larger_pairs_on_disk_are_learned_as_well(small_buffers):
    expected = quick(Transcoder, max_epochs=5).fit(ROWS, TARGETS).score(ROWS, TARGETS)
    parts = np.array_split(ROWS, 5), np.array_split(TARGETS, 3)
    sae = quick(Transcoder, max_epochs=5).fit(*parts)
    assert sae.score(ROWS, TARGETS) == pytest.approx(expected, abs=0.05)
    assert (sae.n_iter_, sae.n_steps_) == (5, 5 * 19)
