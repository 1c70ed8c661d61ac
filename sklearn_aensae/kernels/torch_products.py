"""Sparse products by torch's own operators: the reference, on every device."""

import warnings

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["product", "sampled_product"]

with warnings.catch_warnings():
    # torch says once per process that its CSR layout is in beta: here, where it disturbs nobody.
    warnings.simplefilter("ignore")
    torch.sparse_csr_tensor([0, 0], [], [], (1, 1), check_invariants=False)


def product(
    values: Tensor, columns: Tensor, row_starts: Tensor, b: Tensor, out: Tensor | None = None
) -> Tensor:
    """Multiply sparse by dense; arguments as in `products.Products.product`."""
    if out is None:
        return functional.embedding_bag(
            columns,
            b,
            row_starts,
            per_sample_weights=values,
            mode="sum",
            include_last_offset=True,
        )
    matrix = _csr(values, columns, row_starts, len(b))
    return torch.addmm(out, matrix, b, beta=0, out=out)


def sampled_product(columns: Tensor, row_starts: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Sample a dense product; arguments as in `products.Products.sampled_product`."""
    zeros = _csr(a.new_zeros(len(columns)), columns, row_starts, len(b))
    sampled: Tensor = torch.sparse.sampled_addmm(zeros, a, b.t(), beta=0.0)
    return sampled.values()


def _csr(values: Tensor, columns: Tensor, row_starts: Tensor, n_columns: int) -> Tensor:
    """Torch's own sparse matrix on the same memory, unchecked: a check would read the device."""
    shape = (len(row_starts) - 1, n_columns)
    return torch.sparse_csr_tensor(row_starts, columns, values, shape, check_invariants=False)
