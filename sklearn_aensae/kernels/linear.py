"""The encoder's forward product: the one dense product of a sparse step, in blocks of rows."""

from collections.abc import Iterator

import torch
from torch import Tensor

from sklearn_aensae._devices import is_intel
from sklearn_aensae.kernels.precision import may_select_in_bfloat16
from sklearn_aensae.kernels.workspace import current_workspace

__all__ = ["iter_pre_codes"]

BLOCK_BYTES = 2**24
"""Size of a block of pre-codes on the CPU that is handed out: a choice finds them in cache."""

LEAST_ROWS = 256
"""Rows of a block, however wide."""

PRODUCT_ROWS = 1_024
"""Rows of a product, which the CPU makes for several blocks at once: it reorders all weights each
time, which took a third of the time with 256 rows and 16,384 components, and a tenth with these."""

PRODUCT_BYTES = 2**27
"""Size of a product beyond which it has fewer rows."""

PADDING = 32
"""Columns to whose multiple bfloat16 factors are filled up: matrix tiles take as many at once."""

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
    is_on_cpu = x.device.type == "cpu"
    addend: Tensor | None = bias
    if for_choice and may_select_in_bfloat16(x):
        if is_on_cpu:
            x, weight, addend = *_with_bias(x, weight, bias), None
        else:
            x, weight, addend = (part.bfloat16() for part in (x, weight, bias))
    row_bytes = len(weight) * x.element_size()
    n_rows = max(LEAST_ROWS, (BLOCK_BYTES if is_on_cpu else DEVICE_BLOCK_BYTES) // row_bytes)
    at_once = max(n_rows, min(PRODUCT_ROWS, PRODUCT_BYTES // row_bytes) if is_on_cpu else 0)
    for product in _iter_products(x, weight, addend, min(len(x), at_once)):
        yield from product.split(n_rows)


def _with_bias(x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Return both factors in bfloat16, with the bias as the weight of one feature more, a 1.

    Both are copied anyway, and the product alone is faster than one onto the bias.
    """
    n_features = x.shape[1]
    width = PADDING * (n_features // PADDING + 1)
    like = x.new_empty(0, dtype=torch.bfloat16)
    workspace, found = current_workspace(), []
    for role, part, last in (("rows", x, 1.0), ("weight", weight, bias)):
        copy = workspace.scratch(f"bfloat16_{role}", (len(part), width), like)
        copy[:, :n_features] = part
        copy[:, n_features] = last
        copy[:, n_features + 1 :] = 0
        found.append(copy)
    return found[0], found[1]


def _iter_products(
    x: Tensor, weight: Tensor, addend: Tensor | None, n_rows: int
) -> Iterator[Tensor]:
    """Yield products of `n_rows` rows."""
    if addend is not None and _prefers_onednn(x):
        for rows in x.split(n_rows):
            yield torch.ops.mkldnn._linear_pointwise(rows, weight, addend, "none", [], "")
        return
    buffer = current_workspace().scratch("pre_codes", (n_rows, len(weight)), x)
    for rows in x.split(n_rows):
        out = buffer[: len(rows)]
        if addend is None:
            yield torch.mm(rows, weight.t(), out=out)
        else:
            yield torch.addmm(addend, rows, weight.t(), out=out)


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
