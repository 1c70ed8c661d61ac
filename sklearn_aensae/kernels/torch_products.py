"""Sparse products by torch's own operators: the reference, on every device."""

import math
import warnings
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from sklearn_aensae._devices import is_intel

__all__ = ["product", "sampled_product"]

with warnings.catch_warnings():
    # torch says once per process that its CSR layout is in beta: here, where it disturbs nobody.
    warnings.simplefilter("ignore")
    torch.sparse_csr_tensor([0, 0], [], [], (1, 1), check_invariants=False)


SMALL_BYTES = 2**25
"""Up to here allocators keep memory for the next step, and a faster product may take new one."""

SMALL_WORK = 2**20
"""Multiplications up to which the product with the least overhead is the fastest."""


def product(
    values: Tensor,
    columns: Tensor,
    row_starts: Tensor,
    b: Tensor,
    lend: Callable[[tuple[int, int]], Tensor] | None = None,
) -> Tensor:
    """Multiply sparse by dense; arguments as in `products.Products.product`."""
    shape = (len(row_starts) - 1, b.shape[1])
    if not _takes_csr(len(values), shape, b):
        return functional.embedding_bag(
            columns,
            b,
            row_starts,
            per_sample_weights=values,
            mode="sum",
            include_last_offset=True,
        )
    matrix = _csr(values, columns, row_starts, len(b))
    out = b.new_empty(shape) if lend is None else lend(shape)
    return torch.addmm(out, matrix, b, beta=0, out=out)


def _takes_csr(n_entries: int, shape: tuple[int, int], b: Tensor) -> bool:
    """Whether the product of torch's CSR layout is the better one.

    On an Intel Xeon it takes two thirds of the time of `embedding_bag`, which is the faster one on
    an AMD EPYC (4,096 x 32 entries, width 512). It alone can write to memory that is there: for
    large gradients, which have more rows than b, new memory would cost as much as the product.
    """
    if b.device.type == "cpu" and torch.backends.mkl.is_available() and is_intel():
        return n_entries * shape[1] > SMALL_WORK
    return shape[0] > len(b) and math.prod(shape) * b.element_size() > SMALL_BYTES


def sampled_product(columns: Tensor, row_starts: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Sample a dense product; arguments as in `products.Products.sampled_product`."""
    zeros = _csr(a.new_zeros(len(columns)), columns, row_starts, len(b))
    sampled: Tensor = torch.sparse.sampled_addmm(zeros, a, b.t(), beta=0.0)
    return sampled.values()


def _csr(values: Tensor, columns: Tensor, row_starts: Tensor, n_columns: int) -> Tensor:
    """Torch's own sparse matrix on the same memory, unchecked: a check would read the device."""
    shape = (len(row_starts) - 1, n_columns)
    return torch.sparse_csr_tensor(row_starts, columns, values, shape, check_invariants=False)
