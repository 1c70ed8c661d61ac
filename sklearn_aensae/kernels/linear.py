"""The encoder's forward product: the one dense product of a sparse step, in blocks of rows."""

from collections.abc import Iterator

import torch
from torch import Tensor

from sklearn_aensae._devices import is_intel
from sklearn_aensae.kernels.precision import may_select_in_bfloat16
from sklearn_aensae.kernels.workspace import current_workspace

__all__ = ["iter_pre_codes"]

BLOCK_BYTES = 2**24
"""Size of a block of pre-codes on the CPU: selection then finds them in cache."""

LEAST_ROWS = 256
"""Rows of a block below which the product itself slows down, for wide codes above all."""

DEVICE_BLOCK_BYTES = 2**28
"""The same on an accelerator, where many small kernels cost more than memory."""


def iter_pre_codes(
    x: Tensor, weight: Tensor, bias: Tensor, *, for_choice: bool = False
) -> Iterator[Tensor]:
    """Yield x @ weight.T + bias in blocks of rows; each may be overwritten by the next.

    Parameters
    ----------
    x : Tensor of shape (n_rows, n_features)
        Rows.
    weight, bias : Tensors of shape (n_components, n_features) and (n_components,)
        The linear map.
    for_choice : bool
        Whether nothing but a choice of the largest depends on the result: with a matmul
        precision of "medium" and hardware for it, blocks are then of bfloat16.
    """
    if for_choice and may_select_in_bfloat16(x):
        x, weight, bias = (part.bfloat16() for part in (x, weight, bias))
    size = BLOCK_BYTES if x.device.type == "cpu" else DEVICE_BLOCK_BYTES
    n_rows = min(len(x), max(LEAST_ROWS, size // (len(weight) * x.element_size())))
    if _prefers_onednn(x):
        for rows in x.split(n_rows):
            yield torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
    else:
        buffer = current_workspace().scratch("pre_codes", (n_rows, len(weight)), x)
        for rows in x.split(n_rows):
            yield torch.addmm(bias, rows, weight.t(), out=buffer[: len(rows)])


def _prefers_onednn(x: Tensor) -> bool:
    """Whether oneDNN's product is at hand and better; torch itself takes MKL's for float32.

    It is equally precise and took 0.85 to 0.92 of the time on an AMD EPYC (AVX-512). On an Intel
    Xeon MKL's is as fast, and writes to memory that is there. The operator is one that torch's
    compiler emits; it has no public name.
    """
    single = x.dtype == torch.float32 and x.device.type == "cpu"
    return single and _HAS_ONEDNN and bool(torch.backends.mkldnn.enabled) and not is_intel()


_HAS_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(
    torch.ops.mkldnn, "_linear_pointwise"
)
