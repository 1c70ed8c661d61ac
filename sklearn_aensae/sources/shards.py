"""Matrices on disk, or in several parts, seen as one: read and checked a block at a time."""

import mmap
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["NpyFile", "Rows", "Shards", "is_mapped"]

Array: TypeAlias = NDArray[np.floating]
FLOATS = (np.float16, np.float32, np.float64)


@dataclass(frozen=True)
class NpyFile:
    """A matrix in a .npy file, mapped only while it is read: a folder may hold any number.

    Parameters
    ----------
    path : Path
        The file.
    shape : tuple of int
        Of the matrix.
    dtype : dtype
        Of its values.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @classmethod
    def open(cls, path: Path, title: str = "X") -> "NpyFile":
        """Read the header."""
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise ValueError(f"{title}: {path} cannot be read as a .npy matrix: {error}") from error
        if not isinstance(array, np.ndarray):
            raise ValueError(f"{title}: {path} is an archive; expected one matrix in a .npy file.")
        return cls(path, array.shape, array.dtype)

    def __getitem__(self, rows: slice) -> Array:
        """Rows, as a view of mapped pages."""
        block: Array = np.load(self.path, mmap_mode="r")[rows]
        return block


class Shards:
    """Rows of several matrices, one matrix after the other, as slices of one array.

    Nothing is read before it is asked for, values are checked when they are read, and mapped
    pages are given back afterwards, so that resident memory does not grow with the data.

    Parameters
    ----------
    shards : sequence of (ndarray or NpyFile) of shape (n_rows, n_features)
        Real matrices with as many features each.
    names : sequence of str
        What messages call each of them.
    title : str, default="X"
        What messages call all of them.

    Raises
    ------
    ValueError
        If a shard is not such a matrix, or all of them have no row.
    """

    def __init__(
        self, shards: Sequence[Array | NpyFile], names: Sequence[str], title: str = "X"
    ) -> None:
        self.shards = list(shards)
        self.names = list(names)
        self.title = title
        for shard, name in zip(self.shards, self.names, strict=True):
            _check_shard(shard, f"{title}: {name}", self.shards[0], self.names[0])
        self.stops = list(accumulate(shard.shape[0] for shard in self.shards))
        self.n_features = self.shards[0].shape[1]
        self.shape = (self.stops[-1], self.n_features)
        if 0 in self.shape:
            raise ValueError(
                f"Found {self.shape[0]} sample(s) and {self.shape[1]} feature(s) in {title} while "
                "a minimum of 1 is required."
            )
        common = np.result_type(*(shard.dtype for shard in self.shards)).newbyteorder("=")
        self.dtype = common if common in FLOATS else np.dtype(np.float64)
        self.nbytes = self.shape[0] * self.shape[1] * self.dtype.itemsize

    @classmethod
    def open(cls, path: Path, title: str = "X") -> "Shards":
        """Matrices of a folder of .npy files, 2.npy before 10.npy, or of one file."""
        if not path.exists():
            raise FileNotFoundError(f"{title} is the path {path}, which does not exist.")
        files = sorted(path.glob("*.npy"), key=_in_order) if path.is_dir() else [path]
        if not files:
            raise ValueError(f"{title} is the folder {path}, which holds no .npy file.")
        return cls([NpyFile.open(file, title) for file in files], [f.name for f in files], title)

    def __len__(self) -> int:
        """Rows of all shards."""
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Array:
        """Copy of a slice of rows, of step 1."""
        start, stop, _ = rows.indices(len(self))
        result = np.empty((max(0, stop - start), self.shape[1]), self.dtype)
        filled = 0
        for part in self.parts(start, stop):
            result[filled : filled + len(part)] = part
            filled += len(part)
        return result

    def parts(self, start: int, stop: int) -> Iterator[Array]:
        """Yield views of the rows `start` to `stop`, of use until the next one is asked for."""
        index = bisect_right(self.stops, start)
        while start < stop:
            shard = self.shards[index]
            offset = self.stops[index] - shard.shape[0]
            part = shard[start - offset : stop - offset]
            _check_finite(part, self.title, self.names[index], start - offset)
            yield part
            start += len(part)
            index += 1
            if not isinstance(shard, NpyFile):
                _give_back(shard)


Rows: TypeAlias = NDArray[np.floating] | Tensor | Shards
"""Rows that can be sliced."""


def is_mapped(array: Any) -> bool:
    """Whether an array is a memmap or a view of one."""
    return _memmap_of(array) is not None


def _memmap_of(array: Any) -> Any:
    """Return the memmap, with the mapped file as its base, that an array is a view of."""
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap):
            return array
        array = array.base
    return None


def _give_back(array: Array) -> None:
    """Unload mapped pages, which count as resident though the kernel could take them back."""
    memmap = _memmap_of(array)
    # What was written to a copy-on-write memmap (mode "c") is in its pages and nowhere else.
    if memmap is not None and memmap.mode != "c" and hasattr(mmap, "MADV_DONTNEED"):
        memmap.base.madvise(mmap.MADV_DONTNEED)


def _check_shard(
    shard: Array | NpyFile, name: str, first: Array | NpyFile, first_name: str
) -> None:
    """Refuse what is not a real matrix with as many features as the first shard."""
    if len(shard.shape) != 2:
        raise ValueError(
            f"{name} has {len(shard.shape)} dimensions, shape {tuple(shard.shape)}; expected a "
            "matrix with one row per sample (a token, say). Reshape it with "
            "reshape(-1, n_features)."
        )
    if shard.dtype.kind not in "fiub":
        raise ValueError(
            f"{name} has dtype {shard.dtype}; expected real numbers, such as float16 or float32."
        )
    if shard.shape[1] != first.shape[1]:
        raise ValueError(
            f"{name} has {shard.shape[1]} features, but {first_name} has {first.shape[1]}."
        )


def _check_finite(part: Array, title: str, name: str, start: int) -> None:
    """Refuse NaN and infinity, and say where they are."""
    if part.dtype == np.float16:
        # An exponent of ones; numpy's isfinite is 15 times slower in half precision.
        finite = not len(part) or (part.view(np.uint16) & 0x7C00).max() < 0x7C00
    else:
        finite = part.dtype.kind != "f" or np.isfinite(part).all()
    if not finite:
        row = start + int(np.flatnonzero(~np.isfinite(part).all(axis=1))[0])
        raise ValueError(f"Input {title} contains NaN or infinity, first in row {row} of {name}.")


def _in_order(path: Path) -> tuple[list[Any], str]:
    """Sort names by their letters, and by the numbers in them as numbers."""
    parts = re.split(r"(\d+)", path.name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], path.name
