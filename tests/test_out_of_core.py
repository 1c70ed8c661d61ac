"""Data larger than memory: the same results as in memory, little memory, no thread left over."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import SAES, as_block, given, make_data, quick
from skorch.callbacks import Callback, EarlyStopping

from sklearn_aensae import L1SAE, TopKSAE
from sklearn_aensae.estimators import _build
from sklearn_aensae.exceptions import DivergenceError
from sklearn_aensae.sources import blocks, resolve, stream
from sklearn_aensae.sources.prefetch import THREAD_NAME

X = make_data(600)


class Stream:
    """Blocks of uneven length, as often as asked for."""

    def __init__(self, rows=X, n_blocks=11):
        self.blocks = [*np.array_split(rows, n_blocks), rows[:0]]

    def __iter__(self):
        return iter(self.blocks)


@pytest.fixture
def folder(tmp_path):
    for i, part in enumerate(np.array_split(X, [50, 51, 400])):
        np.save(tmp_path / f"part-{i}.npy", part)
    return tmp_path


@pytest.fixture
def small_buffers(monkeypatch):
    """Buffers of 128 rows in blocks of 16: the data are larger than memory."""
    for module in (resolve, blocks, stream):
        monkeypatch.setattr(module, "BUFFER_BYTES", 128 * 64)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 16 * 64)


def threads():
    return [t for t in threading.enumerate() if t.name.startswith(THREAD_NAME)]


@pytest.fixture(autouse=True)
def no_thread_left():
    yield
    assert not threads()


def shards(kind, folder):
    """The rows of X, in several forms."""
    if kind == "memmap":
        np.save(folder / "whole", X)
        return np.load(folder / "whole.npy", mmap_mode="r")
    return {
        "folder": folder,
        "str": str(folder),
        "arrays": np.array_split(X, 5),
        "memmaps": [np.load(file, mmap_mode="r") for file in sorted(folder.glob("*.npy"))],
        "tensors": list(torch.tensor(X).split(70)),
    }[kind]


KINDS = ["memmap", "folder", "str", "arrays", "memmaps", "tensors"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("validation_fraction", [0.0, 0.2])
def test_shards_that_fit_in_a_buffer_give_what_an_array_gives(kind, validation_fraction, folder):
    params = {"validation_fraction": validation_fraction}
    expected, sae = quick(TopKSAE, **params).fit(X), quick(TopKSAE, **params)
    sae.fit(shards(kind, folder))
    np.testing.assert_array_equal(sae.components_, expected.components_)
    assert sae.history_["loss"] == expected.history_["loss"]


@pytest.mark.parametrize("cls", SAES)
@pytest.mark.parametrize("kind", ["memmap", "folder"])
def test_encoding_shards_is_encoding_their_rows(cls, kind, folder):
    sae, data = quick(cls).fit(*given(cls, X)), shards(kind, folder)
    np.testing.assert_array_equal(sae.transform(data), sae.transform(X))
    np.testing.assert_array_equal(sae.reconstruct(data), sae.reconstruct(X))
    assert sae.score(data, *given(cls, X)[1:]) == sae.score(*given(cls, X))
    assert sae.transform(data).dtype == X.dtype
    sae.set_params(sparse_output=True)
    assert (sae.transform(data) != sae.transform(X)).nnz == 0


@pytest.mark.parametrize("kind", KINDS)
def test_larger_shards_are_learned_as_well(kind, folder, small_buffers):
    expected = quick(TopKSAE, max_epochs=15).fit(X).score(X)
    sae = quick(TopKSAE, max_epochs=15).fit(shards(kind, folder))
    assert sae.score(X) == pytest.approx(expected, abs=0.05)
    assert (sae.n_iter_, sae.n_steps_, sae.dead_window_) == (15, 15 * 19, 600)


def test_larger_shards_in_their_own_order_give_what_an_array_gives(folder, small_buffers):
    params = {"shuffle": False, "max_steps": 50}
    expected = quick(TopKSAE, **params).fit(X)
    sae = quick(TopKSAE, **params).fit(folder)
    np.testing.assert_array_equal(sae.components_, expected.components_)


@pytest.mark.parametrize("make", [lambda folder: folder, lambda _: Stream()])
def test_the_same_seed_gives_the_same_weights(make, folder, small_buffers):
    first, second, other = (
        quick(TopKSAE, max_steps=60, random_state=seed).fit(make(folder)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.components_, second.components_)
    assert not np.allclose(first.components_, other.components_)


def test_held_out_blocks(folder, small_buffers):
    sae = quick(TopKSAE, validation_fraction=0.2, max_epochs=5).fit(folder)
    losses = sae.net_.history[:, "valid_loss"]
    assert losses[-1] < losses[0]
    assert sae.n_steps_ == 5 * 15  # 30 of 38 blocks
    stopping = EarlyStopping(patience=1, threshold=0.9)
    sae = quick(TopKSAE, validation_fraction=0.2, max_epochs=50, callbacks=[stopping])
    assert sae.fit(folder).n_iter_ < 50


# Streams ---------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", SAES)
def test_array_stream_and_partial_fit_agree_in_the_same_order(cls, monkeypatch):
    monkeypatch.setattr(_build, "CALIBRATION_ROWS", 60)
    params = {"shuffle": False, "batch_size": 20, "max_steps": 30, "dead_window": 100}
    by_array, by_stream, by_parts = (quick(cls, **params) for _ in range(3))
    by_array.fit(*given(cls, X))
    by_stream.fit(as_block(cls, part) for part in np.array_split(X, 10))
    for part in np.array_split(X, 10):
        by_parts.partial_fit(*given(cls, part))
    for other in (by_stream, by_parts):
        np.testing.assert_array_equal(other.components_, by_array.components_)
        np.testing.assert_array_equal(other.encoder_bias_, by_array.encoder_bias_)
        np.testing.assert_array_equal(other.feature_density_, by_array.feature_density_)
        assert other.history_["loss"] == by_array.history_["loss"]
        assert other.n_steps_ == 30


@pytest.mark.parametrize("max_steps", [60, None])
def test_parts_and_a_stream_agree_on_which_features_are_dead(max_steps, monkeypatch):
    monkeypatch.setattr(_build, "CALIBRATION_ROWS", 60)
    params = {"shuffle": False, "batch_size": 20, "max_steps": max_steps, "dead_window": 0.1}
    by_stream, by_parts = (quick(TopKSAE, 200, k=2, **params) for _ in range(2))
    parts = np.array_split(np.tile(X, (2, 1)), 20)
    by_stream.partial_fit(iter(parts))
    for part in parts:
        by_parts.partial_fit(part)
    window = 120 if max_steps else 2000
    assert by_stream.net_.module_.tracker.window == by_parts.net_.module_.tracker.window == window
    assert (max(by_parts.history_["auxk"]) > 0) == bool(max_steps)
    np.testing.assert_array_equal(by_parts.components_, by_stream.components_)


def test_one_partial_fit_on_a_stream_is_one_pass():
    params = {"shuffle": False, "batch_size": 32, "dead_window": 100}
    by_array, by_stream = (quick(TopKSAE, **params) for _ in range(2))
    for _ in range(2):
        by_array.partial_fit(X)
        by_stream.partial_fit(Stream())
    np.testing.assert_array_equal(by_stream.components_, by_array.components_)
    assert by_stream.n_steps_ == 2 * 19


def test_passes_over_a_stream_go_on_until_all_steps_are_taken():
    sae = quick(TopKSAE, max_steps=100, dead_window=1.0).fit(Stream())
    # A quarter of training, as 1,000 batches would be more.
    assert (sae.n_steps_, sae.n_iter_, sae.dead_window_) == (100, 1, 25 * 32)
    assert sae.score(X) > 0.5
    assert sae.history_["step"][-1] == 100


def test_the_float_types_of_blocks():
    halves = (part.astype(np.float16) for part in np.array_split(X, 5))
    assert quick(TopKSAE, max_steps=18).fit(halves).components_.dtype == np.float32


def test_streams_that_cannot_work():
    with pytest.raises(ValueError, match="stream of unknown length, so fit needs max_steps"):
        quick(L1SAE).fit(Stream())
    with pytest.raises(ValueError, match="validation_fraction=0.1 needs to know how many rows"):
        quick(L1SAE, max_steps=3, validation_fraction=0.1).fit(Stream())
    with pytest.raises(ValueError, match="X is a stream without rows"):
        quick(L1SAE, max_steps=3).fit(iter([]))
    sae = quick(L1SAE).fit(X)
    for method in (sae.transform, sae.score, sae.reconstruct):
        with pytest.raises(ValueError, match="X is a stream, which only fit and partial_fit take"):
            method(Stream())
    with pytest.raises(ValueError, match="5 features, but L1SAE is expecting 8 features"):
        sae.partial_fit(Stream(X[:, :5]))


def test_a_stream_that_ends_too_early_leaves_what_was_learned():
    sae = quick(L1SAE, max_steps=50)
    with pytest.raises(ValueError, match="given all of its 600 rows, but max_steps needs 992 more"):
        sae.fit(iter(Stream()))
    assert sae.n_steps_ == 19
    assert sae.transform(X).shape == (600, 24)


# What goes wrong on the way ---------------------------------------------------------------


def test_a_bad_value_is_found_when_it_is_read(folder, small_buffers):
    bad = X[51:400].copy()
    bad[17, 3] = np.nan
    np.save(folder / "part-2.npy", bad)
    with pytest.raises(ValueError, match=r"NaN or infinity, first in row 17 of part-2\.npy"):
        quick(L1SAE, init="paper", input_scaling=None).fit(folder)
    sae = quick(L1SAE).fit(X)
    for method in (sae.transform, sae.score, sae.reconstruct, sae.partial_fit):
        with pytest.raises(ValueError, match=r"first in row 17 of part-2\.npy"):
            method(folder)


def test_a_path_to_nothing(tmp_path):
    with pytest.raises(FileNotFoundError, match="X is the path"):
        quick(L1SAE).fit(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="X is the string .*there is no such folder"):
        quick(L1SAE).fit(str(tmp_path / "nowhere"))


def test_other_features_than_in_fit(folder):
    sae = quick(L1SAE).fit(X[:, :5])
    with pytest.raises(ValueError, match="8 features, but L1SAE is expecting 5 features"):
        sae.transform(folder)


class Break(Callback):
    """Raises in the tenth step."""

    def __init__(self, error):
        self.error = error

    def on_batch_end(self, net, **kwargs):
        if net.n_steps_ == 10:
            assert threads()
            raise self.error


@pytest.mark.parametrize("make", [lambda folder: folder, lambda _: Stream()])
@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt()])
def test_interruption_ends_the_thread(make, error, folder, small_buffers):
    sae = quick(TopKSAE, max_steps=100, callbacks=[Break(error)])
    caught = None
    try:
        sae.fit(make(folder))
    except RuntimeError as e:
        caught = e  # its traceback keeps the frames of the training alive
    assert (caught is None) == isinstance(error, KeyboardInterrupt)
    assert not threads()
    assert sae.n_steps_ == 10


def test_divergence_ends_the_thread(folder, small_buffers):
    with pytest.raises(DivergenceError):
        quick(L1SAE, learning_rate=1e30, log_interval=1).fit(folder)
    assert not threads()


# Memory ----------------------------------------------------------------------------------

SCRIPT = """
import sys, numpy as np, torch
from tests.benchmarks.machine import peak_memory
torch.set_num_threads(1)
from sklearn_aensae import TopKSAE
from sklearn_aensae.sources import blocks, resolve
blocks.BUFFER_BYTES = resolve.BUFFER_BYTES = 2**22
blocks.BLOCK_BYTES = 2**18
X = np.load(sys.argv[1], mmap_mode="r")
sae = TopKSAE(16, k=4, batch_size=8192, max_epochs=1, random_state=0).fit(X[:40_000].copy())
before = peak_memory()
sae.fit(X).score(X)
print(sae.n_steps_, peak_memory() - before)
"""


def test_resident_memory_does_not_grow_with_the_file(tmp_path):
    """Files of 32 and 128 MiB, read through two buffers of 4 MiB, take the same memory."""
    root = Path(__file__).parents[1]
    # Large temporaries get pages of their own: holes between them on a heap are not what is held,
    # and vary the peak of one and the same file by 50 MiB.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(2**20)}
    peaks = []
    for n_rows in (2**16, 2**18):
        path = tmp_path / f"{n_rows}.npy"
        np.save(path, np.random.default_rng(0).normal(size=(n_rows, 256)).astype(np.float16))
        command = [sys.executable, "-c", SCRIPT, str(path)]
        done = subprocess.run(
            command, cwd=root, check=True, capture_output=True, text=True, env=environment
        )
        steps, mib = map(float, done.stdout.split())
        assert steps == n_rows // 8192
        peaks.append(mib)
    assert peaks[1] - peaks[0] < 48
    # What there is are batches of 8 MiB and, for `score`, chunks of 32 MiB.
    assert peaks[0] < 300
