"""How precisely float32 matrix products are computed: a setting with a beginning and an end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

__all__ = ["PRECISIONS", "matmul_precision", "may_select_in_bfloat16"]

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


def may_select_in_bfloat16(x: Tensor) -> bool:
    """Whether the precision in force, the float type and the device speak for bfloat16.

    Torch takes "medium" as leave to use bfloat16 and then often does not; where the hardware is
    fast at it, the active set is selected by a bfloat16 product.
    """
    medium = torch.get_float32_matmul_precision() == "medium"
    return medium and x.dtype == torch.float32 and _has_fast_bfloat16(x.device.type)


@cache
def _has_fast_bfloat16(device_type: str) -> bool:
    """Whether products of bfloat16 are a good deal faster than those of float32.

    A processor that has the instructions is timed, once per process: an AMD EPYC took less than
    half as long with them, an Intel Xeon without matrix tiles twice as long.
    """
    if device_type == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    # torch knows, but has no public name for it.
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    if device_type != "cpu" or not supported():
        return False
    return MARGIN * _seconds_of_a_product(torch.bfloat16) < _seconds_of_a_product(torch.float32)


MARGIN = 1.25
"""By how much bfloat16 has to be faster: its choice has to be computed again in float32."""


def _seconds_of_a_product(dtype: torch.dtype) -> float:
    """Return the least time of a product that is large enough to tell."""
    a, b = torch.ones(512, 512, dtype=dtype), torch.ones(512, 1024, dtype=dtype)
    seconds = []
    for _ in range(4):
        started = time.perf_counter()
        torch.mm(a, b)
        seconds.append(time.perf_counter() - started)
    return min(seconds)
