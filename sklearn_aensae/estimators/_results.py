"""Results of a whole pass, of the kind and float type of what was given, filled block by block."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from sklearn_aensae.estimators._validation import Data
from sklearn_aensae.kernels import ActiveCodes, Codes
from sklearn_aensae.sources import Rows

__all__ = ["as_stored", "empty_like", "sparse_dtype", "store", "store_codes", "zeros_like"]

FLOAT16_MAX = float(np.finfo(np.float16).max)


def empty_like(data: Rows | sparse.csr_array, shape: tuple[int, ...]) -> Data:
    """Uninitialised array or tensor of the kind, float type and device of `data`."""
    if isinstance(data, Tensor):
        return torch.empty(shape, dtype=data.dtype, device=data.device)
    return np.empty(shape, dtype=data.dtype)


def zeros_like(data: Rows, shape: tuple[int, ...]) -> Data:
    """Zeros of the kind, float type and device of `data`."""
    if isinstance(data, Tensor):
        return torch.zeros(shape, dtype=data.dtype, device=data.device)
    return np.zeros(shape, dtype=data.dtype)


def store_codes(
    result: Data, rows: slice, codes: Codes, features: NDArray[np.int64] | None
) -> None:
    """Write a block of codes into a result of zeros: of few codes, nothing but these."""
    if features is not None or not isinstance(codes, ActiveCodes):
        dense = codes.dense()
        store(result, rows, dense if features is None else dense[:, features])
        return
    _refuse_overflow(result, codes.values)
    target = result[rows] if isinstance(result, Tensor) else torch.from_numpy(result[rows])
    where = (part.to(target.device) for part in (codes.pattern.rows, codes.pattern.columns))
    target.index_put_(tuple(where), codes.values.to(target))


def store(result: Data, rows: slice, block: Tensor) -> None:
    """Write a block of rows from the device into the result."""
    _refuse_overflow(result, block)
    if isinstance(result, Tensor):
        result[rows] = block.to(result.device, result.dtype)
    else:
        result[rows] = block.cpu().numpy()


def as_stored(result: Rows, block: Tensor) -> Data:
    """Return what `store` would leave of a block in such a result: the block itself if it can."""
    _refuse_overflow(result, block)
    if isinstance(result, Tensor):
        return block.to(result.device, result.dtype)
    return block.cpu().numpy().astype(result.dtype, copy=False)


def _refuse_overflow(result: Rows, block: Tensor) -> None:
    """Refuse values that are too large for a result in float16.

    Raises
    ------
    ValueError
        If there is one.
    """
    if str(result.dtype) in {"float16", "torch.float16"} and block.numel():
        largest = float(block.abs().max())
        if largest > FLOAT16_MAX:
            raise ValueError(
                f"Results of up to {largest:.3g} do not fit into float16, the dtype of the input, "
                f"which ends at {FLOAT16_MAX:,.0f}; give it as float32."
            )


def sparse_dtype(X: Rows) -> type[np.floating]:
    """Float type of CSR codes: that of `X`, or float32 where SciPy has no such type."""
    return np.float64 if str(X.dtype) in {"float64", "torch.float64"} else np.float32
