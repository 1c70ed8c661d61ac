"""How precisely float32 matrix products are computed: a setting with a beginning and an end."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["PRECISIONS", "matmul_precision"]

PRECISIONS = ("highest", "high", "medium")


@contextmanager
def matmul_precision(precision: str) -> Iterator[None]:
    """Set torch's precision of float32 products within the context and restore it after.

    Parameters
    ----------
    precision : {"highest", "high", "medium"}
        As in :func:`torch.set_float32_matmul_precision`. It belongs to the process: products of
        other threads are computed so meanwhile, too.
    """
    before = torch.get_float32_matmul_precision()
    if before == precision:
        yield
        return
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
