"""Several matrices seen as one, checked when they are read."""

import mmap

import numpy as np
import pytest

from sklearn_aensae.sources.shards import NpyFile, Shards, is_mapped

X = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)


def write(folder, **parts):
    for name, part in parts.items():
        np.save(folder / f"{name}.npy", part)
    return folder


def test_slices_over_the_boundaries(tmp_path):
    shards = Shards.open(write(tmp_path, c=X[45:], a=X[:20], b=X[20:45]))
    assert (shards.shape, len(shards), shards.dtype) == ((50, 4), 50, np.float32)
    assert shards.nbytes == X.nbytes
    for rows in (slice(None), slice(0, 3), slice(18, 47), slice(20, 45), slice(49, 99)):
        np.testing.assert_array_equal(shards[rows], X[rows])
    assert shards[30:30].shape == (0, 4)
    assert [len(part) for part in shards.parts(10, 50)] == [10, 25, 5]


def test_numbers_in_names_count_as_numbers(tmp_path):
    write(tmp_path, **{f"part-{i}": X[i : i + 1] for i in range(12)})
    shards = Shards.open(tmp_path)
    assert shards.names[1:3] == ["part-1.npy", "part-2.npy"]
    np.testing.assert_array_equal(shards[:], X[:12])


def test_a_name_may_be_the_beginning_of_another(tmp_path):
    write(tmp_path, **{"a.npy2": X[1:2], "a": X[:1]})
    assert Shards.open(tmp_path).names == ["a.npy", "a.npy2.npy"]


def test_an_archive_is_no_matrix(tmp_path):
    np.savez(tmp_path / "all.npz", X=X)
    with pytest.raises(ValueError, match=r"all\.npz is an archive; expected one matrix"):
        Shards.open(tmp_path / "all.npz")


def test_one_file_and_empty_shards_among_others(tmp_path):
    write(tmp_path, a=X[:0], b=X, c=X[:0])
    np.testing.assert_array_equal(Shards.open(tmp_path)[:], X)
    np.testing.assert_array_equal(Shards.open(tmp_path / "b.npy")[3:5], X[3:5])


@pytest.mark.parametrize(
    ("dtypes", "common"),
    [
        (["float16", "float16"], "float16"),
        (["float16", "float32"], "float32"),
        (["float32", "float64"], "float64"),
        (["int8", "int8"], "float64"),
        ([">f4", ">f4"], "float32"),
    ],
)
def test_types_meet(dtypes, common):
    whole = np.arange(8).reshape(4, 2)
    shards = Shards([whole[:3].astype(dtypes[0]), whole[3:].astype(dtypes[1])], "ab")
    assert shards.dtype == shards[:].dtype == np.dtype(common)
    assert shards.dtype.isnative
    np.testing.assert_array_equal(shards[:], whole)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_are_checked_when_they_are_read(dtype, bad):
    second = X[20:].astype(dtype)
    second[7, 2] = bad
    shards = Shards([X[:20].astype(dtype), second], ["first", "second"])
    np.testing.assert_array_equal(shards[:27], X[:27].astype(dtype))
    with pytest.raises(ValueError, match="X contains NaN or infinity, first in row 7 of second"):
        shards[22:30]


def test_the_largest_half_is_finite():
    most = np.full((2, 3), np.finfo(np.float16).max)
    np.testing.assert_array_equal(Shards([most], ["X"])[:], most)


BAD_SHARDS = {
    "features": ([X, X[:, :3]], "b.npy has 3 features, but a.npy has 4"),
    "one dimension": ([X, X[0]], "b.npy has 1 dimensions, shape .4,.; expected a matrix"),
    "three dimensions": ([X[None], X], r"a.npy has 3 dimensions.*reshape\(-1, n_features\)"),
    "complex": ([X, X * 1j], "b.npy has dtype complex64; expected real numbers"),
    "text": ([X.astype(str)], "a.npy has dtype <U.*expected real numbers"),
    "objects": ([X.astype(object)], "a.npy cannot be read as a .npy matrix"),
    "no rows": ([X[:0], X[:0]], r"0 sample\(s\)"),
    "no features": ([X[:, :0]], r"0 feature\(s\)"),
}


@pytest.mark.parametrize(("parts", "message"), BAD_SHARDS.values(), ids=BAD_SHARDS.keys())
def test_bad_shards(tmp_path, parts, message):
    write(tmp_path, **dict(zip("ab", parts, strict=False)))
    with pytest.raises(ValueError, match=message):
        Shards.open(tmp_path)


def test_bad_paths(tmp_path):
    with pytest.raises(FileNotFoundError, match="X is the path .*nowhere, which does not exist"):
        Shards.open(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"which holds no \.npy file"):
        Shards.open(tmp_path)
    (tmp_path / "a.npy").write_text("no header")
    with pytest.raises(ValueError, match=r"a\.npy cannot be read as a \.npy matrix"):
        Shards.open(tmp_path)


def test_files_are_mapped_only_while_they_are_read(tmp_path):
    np.save(tmp_path / "a.npy", X)
    file = NpyFile.open(tmp_path / "a.npy")
    assert is_mapped(file[2:5])
    np.testing.assert_array_equal(file[2:5], X[2:5])
    assert vars(file).keys() == {"path", "shape", "dtype"}


def test_what_is_mapped(tmp_path):
    np.save(tmp_path / "a.npy", X)
    memmap = np.load(tmp_path / "a.npy", mmap_mode="r")
    for view in (memmap, memmap[3:], np.asarray(memmap), np.asarray(memmap)[::2]):
        assert is_mapped(view)
    for other in (X, memmap.copy() * 1, memmap + 1, "a", None, [memmap]):
        assert not is_mapped(other)


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_pages_are_given_back_and_nothing_is_lost(tmp_path, mode, monkeypatch):
    np.save(tmp_path / "a.npy", X)
    memmap = np.load(tmp_path / "a.npy", mmap_mode=mode)
    expected = X.copy()
    if mode != "r":
        memmap[4] = expected[4] = 7
    for view in (memmap, np.asarray(memmap)):
        shards = Shards([view], ["X"])
        np.testing.assert_array_equal(shards[:], expected)
        np.testing.assert_array_equal(shards[:], expected)
    # Systems without madvise read all the same.
    monkeypatch.delattr(mmap, "MADV_DONTNEED", raising=False)
    np.testing.assert_array_equal(Shards([memmap], ["X"])[:], expected)
