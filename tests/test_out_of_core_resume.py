"""A killed fit on data larger than memory goes on as if it had not been killed, bit for bit."""

import signal
import threading
from functools import partial

import numpy as np
import pytest
import torch
from helpers import SAES, as_block, dies_in_step, make_data, quick, state_of
from skorch.callbacks import Callback

from sklearn_aensae import TopKSAE
from sklearn_aensae.exceptions import TrainingInterruptedWarning
from sklearn_aensae.io import _identity
from sklearn_aensae.sources import Stream, blocks, resolve, stream
from sklearn_aensae.sources.prefetch import THREAD_NAME

X = make_data(600)


class Again:
    """Blocks of uneven length, as often as asked for, some without rows."""

    def __init__(self, rows=X, n_blocks=11, make_block=np.asarray):
        self.rows = rows
        self.n_blocks = n_blocks
        self.make_block = make_block

    def __iter__(self):
        for part in np.array_split(self.rows, self.n_blocks):
            yield self.make_block(part)
            yield self.make_block(part[:0])


@pytest.fixture(autouse=True)
def small_buffers(monkeypatch):
    """Buffers of 128 rows in blocks of 16: five to an epoch of 19 batches."""
    for module in (resolve, blocks, stream):
        monkeypatch.setattr(module, "BUFFER_BYTES", 128 * 64)
    monkeypatch.setattr(stream, "BUFFER_ROWS", 128)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 16 * 64)


@pytest.fixture(autouse=True)
def no_thread_left():
    yield
    assert not [t for t in threading.enumerate() if t.name.startswith(THREAD_NAME)]


@pytest.fixture
def shards(tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    # One shard has a single row and one has none.
    for i, part in enumerate(np.split(X, [50, 51, 51, 400])):
        np.save(folder / f"part-{i}.npy", part)
    return folder


def generator():
    yield from Again()


MAKE = {
    "shards": lambda folder: folder,
    "float16 shards": lambda _: np.split(X.astype(np.float16), [50, 51, 51, 400]),
    "iterable": lambda _: Again(),
    "generator": lambda _: generator(),
}
# Steps, of 19 an epoch or pass, in which the fits are killed: at the start, in the middle and at
# the end of one, and of a buffer of 4 batches.
KILLS = {
    "shards": (1, 6, 19, 31, 50),
    "float16 shards": (12, 20),
    "iterable": (1, 6, 12, 19, 20, 31, 50),
    "generator": (1, 4, 6, 12, 18, 19),
}


def make(kind, folder=None, cls=TopKSAE, **params):
    files = {} if folder is None else {"checkpoint_dir": folder, "checkpoint_interval": 2}
    length = {"max_steps": 19 if kind == "generator" else 50, "log_interval": 5, "dead_window": 100}
    return quick(cls, **(length | files | params))


def assert_same(resumed, whole):
    assert state_of(resumed) == state_of(whole)
    np.testing.assert_array_equal(resumed.components_, whole.components_)
    np.testing.assert_array_equal(resumed.transform(X), whole.transform(X))
    assert resumed.history_.keys() == whole.history_.keys()


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize("shuffle", [True, False])
def test_resuming_changes_nothing(kind, shuffle, shards, tmp_path):
    params = {"shuffle": shuffle}
    for step in KILLS[kind]:
        with dies_in_step(step):
            make(kind, tmp_path / "run", **params).fit(MAKE[kind](shards))
    resumed = make(kind, tmp_path / "run", **params).fit(MAKE[kind](shards))
    whole = make(kind, **params).fit(MAKE[kind](shards))
    assert whole.n_steps_ == (19 if kind == "generator" else 50)
    assert_same(resumed, whole)


@pytest.mark.parametrize("cls", SAES)
@pytest.mark.parametrize("kind", ["iterable"])
def test_resuming_any_variant_in_the_middle_of_a_pass(cls, kind, shards, tmp_path):
    with dies_in_step(27):
        make(kind, tmp_path / "run", cls).fit(Again(make_block=partial(as_block, cls)))
    resumed = make(kind, tmp_path / "run", cls).fit(Again(make_block=partial(as_block, cls)))
    assert_same(resumed, make(kind, cls=cls).fit(Again(make_block=partial(as_block, cls))))


def test_resuming_with_held_out_blocks(shards, tmp_path):
    params = {"validation_fraction": 0.2, "max_steps": None, "max_epochs": 3}
    for step in (7, 15, 20):  # 15 batches an epoch
        with dies_in_step(step):
            make("shards", tmp_path / "run", **params).fit(shards)
    resumed = make("shards", tmp_path / "run", **params).fit(shards)
    whole = make("shards", **params).fit(shards)
    assert_same(resumed, whole)
    assert resumed.net_.history[:, "valid_loss"] == whole.net_.history[:, "valid_loss"]


class Interrupt(Callback):
    """Presses Ctrl-C in a step, the first time it comes there."""

    pressed = False

    def on_batch_end(self, net, training=False, **kwargs):
        if training and net.n_steps_ == 24 and not self.pressed:
            Interrupt.pressed = True
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("kind", ["shards", "iterable"])
def test_going_on_after_ctrl_c(kind, shards, tmp_path, monkeypatch):
    monkeypatch.setattr(Interrupt, "pressed", False)
    params = {"callbacks": [Interrupt()]}
    with pytest.warns(TrainingInterruptedWarning, match="after 24 steps"):
        make(kind, tmp_path / "run", **params).fit(MAKE[kind](shards))
    resumed = make(kind, tmp_path / "run", **params).fit(MAKE[kind](shards))
    assert_same(resumed, make(kind, **params).fit(MAKE[kind](shards)))


# What tells streams apart ------------------------------------------------------------------


def test_the_fingerprint_of_a_stream_leaves_it_whole(tmp_path):
    taken = []

    def counted():
        for i, part in enumerate(np.array_split(X, 60)):
            taken.append(i)
            yield part

    source = resolve.as_source(Stream(counted()), "cpu", torch.float32)
    first = _identity._fingerprint(source)
    assert len(taken) == 26  # blocks of 10 rows for 256 rows
    assert _identity._fingerprint(source) == first
    rows = np.concatenate([batch.numpy() for batch in source.batches(32, None)])
    np.testing.assert_array_equal(rows, X.astype(np.float32))


def test_a_fit_with_checkpoints_sees_every_row_of_a_generator_once(tmp_path):
    with_files = make("generator", tmp_path / "run").fit(generator())
    assert_same(with_files, make("generator").fit(generator()))


def test_a_stream_may_come_in_other_blocks_but_not_with_other_rows(tmp_path):
    params = {"shuffle": False}
    with dies_in_step(6):
        make("generator", tmp_path / "run", **params).fit(generator())
    with pytest.raises(ValueError, match="fingerprint of X was"):
        make("generator", tmp_path / "run", **params).fit(iter(Again(X + 1e-3)))
    with pytest.raises(ValueError, match=r"shape of X was \[None, 8\] there and is \[600, 8\]"):
        make("generator", tmp_path / "run", **params).fit(X)
    resumed = make("generator", tmp_path / "run", **params).fit(iter(Again(X, 7)))
    assert resumed.n_steps_ == 19


def test_a_stream_shorter_than_a_batch(tmp_path):
    def few():
        yield X[:5]

    with dies_in_step(1):
        make("generator", tmp_path / "run", max_steps=1).fit(few())
    resumed = make("generator", tmp_path / "run", max_steps=1).fit(few())
    assert_same(resumed, make("generator", max_steps=1).fit(few()))


def test_a_resumed_generator_that_is_shorter_than_before_is_an_error(tmp_path):
    with dies_in_step(12):
        make("generator", tmp_path / "run").fit(generator())
    with pytest.raises(ValueError, match="all of its 300 rows, but max_steps needs 288 more"):
        make("generator", tmp_path / "run").fit(iter(Again(X[:300])))
