"""Where computation happens: the one reading of `device` parameters."""

import platform
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

__all__ = ["is_device", "is_intel", "move", "reads_are_free", "resolve_device"]


def is_device(value: Any) -> bool:
    """Whether `value` can be a `device` parameter: a name that is not empty, or a torch.device."""
    return isinstance(value, torch.device) or (isinstance(value, str) and value != "")


def resolve_device(device: str | torch.device) -> str:
    """Return the name of the torch device that a `device` parameter stands for.

    Raises
    ------
    ValueError
        If torch does not know the device, or this machine does not have it.
    """
    device, has_cuda = str(device), torch.cuda.is_available()
    if device == "auto":
        return "cuda" if has_cuda else "cpu"
    try:
        torch.empty(0, device=device)
    # Torch has a class of error for each: unknown names, CUDA not built in, other missing backends.
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device={device!r} cannot be used here: {reason}. Allowed are 'auto', 'cpu' and other "
            f"devices of this machine, which has {'CUDA' if has_cuda else 'no CUDA'}."
        ) from error
    return device


def reads_are_free(device: torch.device) -> bool:
    """Whether the host may look at tensors on `device` without waiting for it."""
    return device.type == "cpu"


def move(block: Tensor, device: str) -> Tensor:
    """Return `block` on `device`; the host does not wait for a copy to a GPU."""
    if device.startswith("cuda") and block.device.type == "cpu":
        # Only pinned memory is copied while the host goes on; torch keeps it until then.
        return block.pin_memory().to(device, non_blocking=True)
    return block.to(device)


@cache
def is_intel() -> bool:
    """Whether the processor is Intel's, on which MKL's products are the fastest."""
    try:
        description = Path("/proc/cpuinfo").read_text()
    except OSError:
        description = platform.processor()
    return "GenuineIntel" in description
