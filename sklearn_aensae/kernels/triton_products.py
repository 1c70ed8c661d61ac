"""Sparse products as Triton kernels, each sum in an order that is always the same: no atomics.

Imported on demand, as Triton comes with torch for CUDA only. Grids follow from shapes and loops
read their bounds on the device, so the host waits for nothing.
"""

from collections.abc import Callable
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

__all__ = ["INTERPRETED", "product", "sampled_product"]

BLOCK_ENTRIES = tl.constexpr(16)
"""Entries of a row that a program handles at a time; not tuned so far."""

BLOCK_WIDTH = tl.constexpr(128)
"""Columns of the dense factors that it handles at a time; not tuned either."""

# mypy takes a decorator from a package that may be missing as one without types.
_jit: Callable[[Callable[..., None]], Any] = triton.jit

OPTIONS = {"enable_fp_fusion": True}
"""Multiply and add in one instruction; Triton is about to change its default and warns of it."""


@_jit
def _product(
    values: tl.tensor,
    columns: tl.tensor,
    row_starts: tl.tensor,
    b: tl.tensor,
    out: tl.tensor,
    width: tl.tensor,
) -> None:
    """Sum the rows of `b` that the entries of one row name, each times its value: one block."""
    # Offsets may exceed 32 bits: 2^20 components of 4,096 features do.
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK_WIDTH + tl.arange(0, BLOCK_WIDTH)
    inside = at < width
    total = tl.zeros((BLOCK_ENTRIES, BLOCK_WIDTH), dtype=out.dtype.element_ty)
    stop = tl.load(row_starts + row + 1)
    for first in range(tl.load(row_starts + row), stop, BLOCK_ENTRIES):
        entry = first + tl.arange(0, BLOCK_ENTRIES)
        there = entry < stop
        column = tl.load(columns + entry, mask=there, other=0).to(tl.int64)
        value = tl.load(values + entry, mask=there, other=0)
        where = b + column[:, None] * width + at[None, :]
        total += value[:, None] * tl.load(where, mask=there[:, None] & inside[None, :], other=0)
    tl.store(out + row * width + at, tl.sum(total, axis=0), mask=inside)


@_jit
def _sampled_product(
    columns: tl.tensor,
    row_starts: tl.tensor,
    a: tl.tensor,
    b: tl.tensor,
    out: tl.tensor,
    width: tl.tensor,
) -> None:
    """Scalar products of one row of `a` with the rows of `b` that its entries name."""
    row = tl.program_id(0).to(tl.int64)
    stop = tl.load(row_starts + row + 1)
    for first in range(tl.load(row_starts + row), stop, BLOCK_ENTRIES):
        entry = first + tl.arange(0, BLOCK_ENTRIES)
        there = entry < stop
        column = tl.load(columns + entry, mask=there, other=0).to(tl.int64)
        total = tl.zeros((BLOCK_ENTRIES, BLOCK_WIDTH), dtype=out.dtype.element_ty)
        for left in range(0, width, BLOCK_WIDTH):
            at = left + tl.arange(0, BLOCK_WIDTH)
            inside = at < width
            one = tl.load(a + row * width + at, mask=inside, other=0)
            where = b + column[:, None] * width + at[None, :]
            others = tl.load(where, mask=there[:, None] & inside[None, :], other=0)
            total += one[None, :] * others
        tl.store(out + entry, tl.sum(total, axis=1), mask=there)


INTERPRETED = not isinstance(_product, triton.JITFunction)
"""Whether TRITON_INTERPRET=1 was set when Triton was imported: kernels then run on the CPU."""


def product(
    values: Tensor,
    columns: Tensor,
    row_starts: Tensor,
    b: Tensor,
    lend: Callable[[tuple[int, int]], Tensor] | None = None,
) -> Tensor:
    """Multiply sparse by dense; arguments as in `products.Products.product`."""
    n_rows, width = len(row_starts) - 1, b.shape[1]
    values, b = values.contiguous(), b.contiguous()
    out = b.new_empty(n_rows, width) if lend is None else lend((n_rows, width))
    grid = (n_rows, triton.cdiv(width, BLOCK_WIDTH.value))
    # Triton launches on the current device, which need not be the tensors'.
    with torch.cuda.device_of(out):
        _product[grid](values, columns, row_starts, b, out, width, **OPTIONS)
    return out


def sampled_product(columns: Tensor, row_starts: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Sample a dense product; arguments as in `products.Products.sampled_product`."""
    a, b = a.contiguous(), b.contiguous()
    out = a.new_empty(len(columns))
    with torch.cuda.device_of(out):
        grid = (len(row_starts) - 1,)
        _sampled_product[grid](columns, row_starts, a, b, out, a.shape[1], **OPTIONS)
    return out
