"""Encoding and decoding in chunks, so that memory follows the result and not the work."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from sklearn_aensae.estimators._validation import Data
from sklearn_aensae.kernels import Codes, DenseCodes
from sklearn_aensae.sources import ArraySource, Rows

if TYPE_CHECKING:
    from sklearn_aensae.estimators._base import BaseSAE

__all__ = ["CHUNK_BYTES", "decode", "encode", "iter_reconstructions", "reconstruct"]

CHUNK_BYTES = 2**25
"""Size of the largest temporary: about what stays in cache, and small on any device."""


def encode(estimator: "BaseSAE", X: Rows) -> Data | sparse.csr_array:
    """Codes of all rows, in the units of the input, as the estimator's parameters ask."""
    n_rows, n_components = len(X), estimator.n_components_
    if estimator.sparse_output:
        blocks = [
            codes.scaled(1 / factors).csr() for _, _, codes, factors in _iter_codes(estimator, X)
        ]
        matrix = sparse.vstack(blocks, format="csr")
        return matrix.astype(_sparse_dtype(X), copy=False)
    result = _empty_like(X, (n_rows, n_components))
    for rows, _, codes, factors in _iter_codes(estimator, X):
        _store(result, rows, codes.scaled(1 / factors).dense())
    return result


def reconstruct(estimator: "BaseSAE", X: Rows) -> Data:
    """Reconstructions of all rows, each with its own scale."""
    result = _empty_like(X, X.shape)
    for rows, _, reconstruction in iter_reconstructions(estimator, X):
        _store(result, rows, reconstruction)
    return result


def iter_reconstructions(estimator: "BaseSAE", X: Rows) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yield rows, their data and their reconstruction, in the units of the input."""
    decoder = estimator.net_.module_.decoder
    for rows, x, codes, factors in _iter_codes(estimator, X):
        with torch.no_grad():
            yield rows, x, decoder(codes) / factors


def decode(estimator: "BaseSAE", codes: Data | sparse.csr_array) -> Data:
    """Reconstructions from codes in the units of the input."""
    module, factor = estimator.net_.module_, estimator._scaling.factor
    result = _empty_like(codes, (codes.shape[0], estimator.n_features_in_))
    for rows in _chunks(codes.shape[0], max(codes.shape[1], estimator.n_features_in_)):
        block = codes[rows].toarray() if isinstance(codes, sparse.csr_array) else codes[rows]
        scaled = _source(estimator, block).take(slice(None)) * factor
        with torch.no_grad():
            _store(result, rows, module.decoder(DenseCodes(scaled)) / factor)
    return result


def _iter_codes(
    estimator: "BaseSAE", X: Rows
) -> Iterator[tuple[slice, Tensor, Codes, Tensor | float]]:
    """Yield rows, their data, their codes in the units of training, and the rows' scales."""
    module, scaling = estimator.net_.module_.eval(), estimator._scaling
    for rows in _chunks(len(X), max(estimator.n_components_, X.shape[1])):
        x = _source(estimator, X[rows]).take(slice(None))
        factors = scaling.factors(x)
        with torch.no_grad():
            yield rows, x, module.encode(x * factors), factors


def _source(estimator: "BaseSAE", X: Data) -> ArraySource:
    """Wrap data on the way to the module: its device, its dtype."""
    return ArraySource(X, estimator.net_.device, estimator.net_.module_.decoder.bias.dtype)


def _chunks(n_rows: int, width: int) -> Iterator[slice]:
    """Slices of rows whose widest temporary, `width` numbers per row, takes CHUNK_BYTES."""
    size = max(1, CHUNK_BYTES // (4 * width))
    return (slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size))


def _empty_like(data: Rows | sparse.csr_array, shape: tuple[int, ...]) -> Data:
    """Uninitialised array or tensor of the kind, float type and device of `data`."""
    if isinstance(data, Tensor):
        return torch.empty(shape, dtype=data.dtype, device=data.device)
    return np.empty(shape, dtype=data.dtype)


def _store(result: Data, rows: slice, block: Tensor) -> None:
    """Write a block of rows from the device into the result."""
    if isinstance(result, Tensor):
        result[rows] = block.to(result.device, result.dtype)
    else:
        result[rows] = block.cpu().numpy()


def _sparse_dtype(X: Rows) -> type[np.floating]:
    """Float type of CSR codes: that of `X`, or float32 where SciPy has no such type."""
    return np.float64 if str(X.dtype) in {"float64", "torch.float64"} else np.float32
