"""What is taken for what."""

from collections import OrderedDict

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from sklearn_aensae.sources import (
    ArraySource,
    BlockSource,
    Shards,
    Stream,
    StreamSource,
    as_source,
    recognize,
)
from sklearn_aensae.sources.base import BUFFER_BYTES

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    np.save(tmp_path / "b.npy", X[12:])
    np.save(tmp_path / "a.npy", X[:12])
    (tmp_path / "notes.txt").write_text("not a shard")
    return tmp_path


def test_shards(folder):
    memmap = np.load(folder / "a.npy", mmap_mode="r")
    for data in (folder, str(folder), [X[:12], X[12:]], (memmap, torch.tensor(X[12:]))):
        shards = recognize(data)
        assert isinstance(shards, Shards)
        np.testing.assert_array_equal(shards[:], X)
    for data in (memmap, np.asarray(memmap), folder / "a.npy", str(folder / "a.npy")):
        assert isinstance(recognize(data), Shards)


def test_streams():
    class Iterable:
        def __iter__(self):
            return iter([X])

    for data in (iter([X]), (x for x in [X]), map(np.asarray, [X]), Iterable()):
        assert isinstance(recognize(data), Stream)


@pytest.mark.parametrize(
    "data",
    [
        X,
        X[0],
        X[None],
        torch.tensor(X),
        X.tolist(),
        list(X),
        [torch.tensor(x) for x in X],
        [X.tolist(), X.tolist()],
        [X, X[0]],
        [],
        pd.DataFrame(X),
        sparse.csr_array(X),
        "some text",
        "a" * 10_000,
        "null\0character",
        ["texts", "texts"],
        {"a": X},
        OrderedDict(a=X),
        {1, 2},
        range(3),
        None,
        3,
    ],
    ids=lambda data: type(data).__name__,
)
def test_everything_else_is_left_alone(data):
    assert recognize(data) is data


def test_a_vector_on_disk_is_left_to_the_usual_message(tmp_path):
    np.save(tmp_path / "a.npy", X[0])
    memmap = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert recognize(memmap) is memmap


def test_shards_that_are_not_matrices():
    with pytest.raises(ValueError, match=r"X: X\[1\] has 3 dimensions, shape \(1, 20, 3\)"):
        recognize([X, X[None]])
    with pytest.raises(ValueError, match=r"X: X\[1\] has 2 features, but X\[0\] has 3"):
        recognize([X, X[:, :2]])
    with pytest.raises(ValueError, match=r"X\[1\] is a tensor of dtype torch.bfloat16 on cpu"):
        recognize([X, torch.tensor(X).bfloat16()])


def test_sources():
    def kind(data):
        return type(as_source(data, "cpu", torch.float32))

    assert kind(X) is kind(torch.tensor(X)) is kind(recognize([X, X])) is ArraySource
    assert kind(recognize(iter([X]))) is StreamSource
    zeros = np.broadcast_to(np.float32(0), (BUFFER_BYTES // 4, 1))
    assert kind(Shards([zeros], ["X"])) is ArraySource
    assert kind(Shards([zeros, X[:1, :1]], "ab")) is BlockSource


def test_a_mistyped_path_is_no_text():
    with pytest.raises(FileNotFoundError, match=r"X is the path missing.npy, which does not exist"):
        recognize("missing.npy")
