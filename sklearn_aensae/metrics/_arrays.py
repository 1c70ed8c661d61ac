"""What every metric accepts: finite two-dimensional arrays, tensors or CSR, read in row batches."""

import reprlib
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from sklearn.utils import check_array, gen_batches

Array: TypeAlias = npt.ArrayLike | torch.Tensor
CodeArray: TypeAlias = npt.ArrayLike | torch.Tensor | sparse.csr_array | sparse.csr_matrix

# Rows are widened to float64 in batches of about 1 MB: they stay in the cache, and a memory map is
# never copied whole.
_BATCH_ENTRIES = 2**17


def check_rows(array: Any, name: str, *, accept_sparse: bool = False) -> Any:
    """Return `array` as a finite (rows, columns) ndarray, or as CSR where that is accepted."""
    if isinstance(array, torch.Tensor):
        if array.layout is not torch.strided:
            raise TypeError(
                f"{name} is a tensor of layout {array.layout}; give a dense one (to_dense), or "
                "codes as a SciPy CSR array."
            )
        array = array.detach().cpu()
        # NumPy has no bfloat16.
        array = (array.float() if array.dtype == torch.bfloat16 else array).numpy()
    if np.ndim(array) != 2:
        raise ValueError(f"{name} must have two dimensions, got shape {np.shape(array)}.")
    return check_array(array, input_name=name, accept_sparse="csr" if accept_sparse else False)


def unit_rows(rows: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Bring the rows of a checked array to length 1, in double precision; rows of 0 stay 0."""
    units = np.array(rows, dtype=np.float64)
    # Squares of very long and very short rows would leave the range of numbers.
    largest = np.abs(units).max(axis=1, keepdims=True)
    largest[largest == 0] = 1
    units /= largest
    # At least 1 now, but for rows of 0.
    units /= np.linalg.norm(units, axis=1, keepdims=True).clip(min=1)
    return units


def row_batches(array: Any, width: int = 0) -> Iterator[slice]:
    """Cut the rows of a checked array into slices with a bounded number of stored entries.

    Where `width` numbers are computed of each row, and that is more, these are bounded.
    """
    n_rows = array.shape[0]
    n_entries = array.nnz if sparse.issparse(array) else array.size
    n_entries = max(n_entries, n_rows * width)
    yield from gen_batches(n_rows, max(1, n_rows * _BATCH_ENTRIES // max(1, n_entries)))


def active_set(codes: Any) -> sparse.csr_array:
    """Copy checked codes to CSR without duplicates or stored zeros."""
    if codes.dtype == np.float16:
        # SciPy has no sparse float16.
        codes = codes.astype(np.float32)
    active = sparse.csr_array(codes, copy=True)
    active.sum_duplicates()
    active.eliminate_zeros()
    return active


def check_matching(
    matching: Any, n_components: int, n_true_components: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return which component stands for which true one; each of them has one partner at most."""
    sizes = (n_components, n_true_components)
    is_pair = isinstance(matching, tuple | list | np.ndarray) and len(matching) == 2
    parts = [np.asarray(part) for part in matching] if is_pair else []
    lengths = {part.shape for part in parts}
    if len(lengths) != 1 or any(part.ndim != 1 or part.dtype.kind not in "iu" for part in parts):
        raise ValueError(
            "matching must be two arrays of integers of one length, components and true ones, as "
            f"dictionary_recovery returns them; got {reprlib.repr(matching)}."
        )
    for part, size in zip(parts, sizes, strict=True):
        if len(part) and not 0 <= part.min() <= part.max() < size:
            raise ValueError(
                f"matching must hold components from 0 to {n_components - 1} and true ones from 0 "
                f"to {n_true_components - 1}; got {reprlib.repr(matching)}."
            )
        if len(np.unique(part)) < len(part):
            raise ValueError(
                f"matching must hold no component twice; got {reprlib.repr(matching)}."
            )
    return parts[0].astype(np.intp), parts[1].astype(np.intp)


def check_width(name: str, n_columns: int, n_expected: int) -> None:
    """Raise if a batch is not as wide as the batches before it."""
    if n_columns != n_expected:
        raise ValueError(
            f"{name} has {n_columns} columns, but the batches before it had {n_expected}."
        )


def check_seen(n_samples: int) -> None:
    """Raise if a statistic is read before any row was given."""
    if n_samples == 0:
        raise ValueError("No rows were given yet: call update() before reading a statistic.")
