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
time: a quarter of the time with 256 rows and 16,384 components, a tenth with these."""

PRODUCT_BYTES = 2**27
"""Size of a product beyond which it has fewer rows."""

PADDING = 32
"""Columns to whose multiple bfloat16 factors are filled up: matrix tiles take as many at once."""

DERIVED_BYTES = 2**27
"""Size of weights that are copied once for many products, to have the bias among them: 7 % of the
time to encode 16,384 components of 512 features."""

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
            x, weight, addend = *_in_bfloat16(x, weight, bias), None
        else:
            x, weight, addend = (part.bfloat16() for part in (x, weight, bias))
    elif is_on_cpu and not _prefers_onednn(x):
        both = current_workspace().derived("weight_and_bias", (weight, bias), _beside)
        if both is not None:
            ones = current_workspace().scratch("rows_and_one", (len(x), both.shape[1]), x)
            x, weight, addend = _fill_(ones, x, 1.0), both, None
    row_bytes = len(weight) * x.element_size()
    n_rows = max(LEAST_ROWS, (BLOCK_BYTES if is_on_cpu else DEVICE_BLOCK_BYTES) // row_bytes)
    at_once = max(n_rows, min(PRODUCT_ROWS, PRODUCT_BYTES // row_bytes) if is_on_cpu else 0)
    for product in _iter_products(x, weight, addend, min(len(x), at_once)):
        blocks = iter(product.split(n_rows))
        # Else it would be there still while the next one is made, where that has memory of its own.
        del product
        yield from blocks


def _in_bfloat16(x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Return both factors in bfloat16, with the bias as the weight of one feature more, a 1.

    Both are copied anyway, and the product alone is faster than one onto the bias.
    """
    width = PADDING * (x.shape[1] // PADDING + 1)
    like, scratch = x.new_empty(0, dtype=torch.bfloat16), current_workspace().scratch
    rows = scratch("bfloat16_rows", (len(x), width), like)
    components = scratch("bfloat16_weight", (len(weight), width), like)
    return _fill_(rows, x, 1.0), _fill_(components, weight, bias)


def _beside(weight: Tensor, bias: Tensor) -> Tensor | None:
    """Return weights with the bias as one feature more, if that is not too much memory."""
    n_components, n_features = weight.shape
    if weight.numel() * weight.element_size() > DERIVED_BYTES:
        return None
    return _fill_(weight.new_empty(n_components, n_features + 1), weight, bias)


def _fill_(copy: Tensor, part: Tensor, last: Tensor | float) -> Tensor:
    """Write a matrix, one column more, and zeros up to the width of the copy."""
    n_columns = part.shape[1]
    copy[:, :n_columns] = part
    copy[:, n_columns] = last
    copy[:, n_columns + 1 :] = 0
    return copy


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

    It is single precision as well, and took 0.85 to 0.92 of the time on one AMD EPYC, 0.55 on
    another (AVX-512). On an Intel Xeon MKL's is as fast, and writes to memory that is there. The
    operator is one that torch's compiler emits; it has no public name.
    """
    single = x.dtype == torch.float32 and x.device.type == "cpu"
    return single and _HAS_ONEDNN and bool(torch.backends.mkldnn.enabled) and not is_intel()


_HAS_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(
    torch.ops.mkldnn, "_linear_pointwise"
)
