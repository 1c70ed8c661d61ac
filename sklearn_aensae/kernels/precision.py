"""How precisely float32 matrix products are computed: a setting with a beginning and an end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

import torch
from torch import Tensor

__all__ = ["PRECISIONS", "matmul_precision", "may_select_in_bfloat16"]

PRECISIONS = ("highest", "high", "medium")


_BACKENDS: tuple[Any, ...] = tuple(
    backend.matmul
    for backend in (torch.backends.cuda, torch.backends.mkldnn)
    if hasattr(getattr(backend, "matmul", None), "fp32_precision")
)
"""Where newer versions of torch let users set the precision of one library alone."""

_lock = Lock()
_open: dict[object, str] = {}
"""Precisions of the contexts that are open, in the order in which they began."""
_before: list[str | None] = []
"""What was in force before contexts changed it, by the older name and then of each backend."""


@contextmanager
def matmul_precision(precision: str) -> Iterator[None]:
    """Set torch's precision of float32 products within the context and restore it after.

    It belongs to the process: products of other threads are computed so meanwhile, too. Of
    contexts that overlap, in one thread or in several, the last to begin of those still open
    decides for all; what was in force before the first comes back when none is left.

    Parameters
    ----------
    precision : {"highest", "high", "medium"}
        As in :func:`torch.set_float32_matmul_precision`.
    """
    key = object()
    with _lock:
        _open[key] = precision
    try:
        _enforce()
        yield
    finally:
        with _lock:
            del _open[key]
        _enforce()


def _enforce() -> None:
    """Put in force what the last open context wants or, without one, what was before."""
    with _lock:
        wanted = next(reversed(_open.values()), None)
        if wanted is None:
            _restore()
        elif wanted != _by_older_name():
            if not _before:
                _before[:] = _by_older_name(), *(backend.fp32_precision for backend in _BACKENDS)
            torch.set_float32_matmul_precision(wanted)


def _restore() -> None:
    """Put back what was before, if anything has changed it."""
    if not _before:
        return
    older, *newer = _before
    _before.clear()
    torch.set_float32_matmul_precision(older or "highest")
    for backend, precision in zip(_BACKENDS, newer, strict=True):
        # It may have been that of all backends, which it then has to follow in future, too.
        backend.fp32_precision = "none"
        if backend.fp32_precision != precision:
            backend.fp32_precision = precision


def _by_older_name() -> str | None:
    """Return the precision as one name for all backends; None if backends were set one by one."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return None


def may_select_in_bfloat16(x: Tensor) -> bool:
    """Whether the precision in force, the float type and the device speak for bfloat16.

    Torch takes "medium" as leave to use bfloat16 and then often does not; where the hardware is
    fast at it, the active set is selected by a bfloat16 product.
    """
    medium = _by_older_name() == "medium"
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
