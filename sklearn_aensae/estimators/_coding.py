"""Encoding and decoding in chunks, so that memory follows the result and not the work."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from sklearn_aensae.estimators._fitted import read_module
from sklearn_aensae.estimators._results import (
    as_stored,
    empty_like,
    sparse_dtype,
    store,
    store_codes,
    zeros_like,
)
from sklearn_aensae.estimators._units import Units, mean_units, units_of
from sklearn_aensae.estimators._validation import Data
from sklearn_aensae.kernels import (
    ActiveCodes,
    Codes,
    DenseCodes,
    Pattern,
    Workspace,
    iter_pre_codes,
    matmul_precision,
)
from sklearn_aensae.metrics import ReconstructionStatistics
from sklearn_aensae.modules import Autoencoder
from sklearn_aensae.params import validate_params
from sklearn_aensae.sources import ArraySource, Rows

if TYPE_CHECKING:
    from sklearn_aensae.estimators._base import BaseSAE

__all__ = [
    "CHUNK_BYTES",
    "decode",
    "encode",
    "encode_csr",
    "explained_variance",
    "iter_reconstructions",
    "iter_residuals",
    "iter_scaled",
    "reconstruct",
]

CHUNK_BYTES = 2**25
"""Size of the largest temporary: about what stays in cache, and small on any device."""


LEAST_ROWS = 128
"""Rows of a chunk below which products would slow down, however wide the code."""

Integers = NDArray[np.int64]


def encode(
    estimator: "BaseSAE", X: Rows, features: Integers | None = None
) -> Data | sparse.csr_array:
    """Codes of all rows, in the units of the input, as the estimator's parameters ask.

    Parameters
    ----------
    estimator : BaseSAE
        Fitted.
    X : array, Tensor or Shards of shape (n_samples, n_features)
        Rows.
    features : array of shape (n_asked,) or None
        Components to compute, in this order; None for all.
    """
    if estimator.sparse_output:
        return encode_csr(estimator, X, features)
    n_components = estimator.n_components_ if features is None else len(features)
    shape, module = (len(X), n_components), read_module(estimator)
    if estimator._asks_encoder() and module.activation.elementwise:
        result = empty_like(X, shape)
        for rows, block in _iter_elementwise(estimator, module, X, features):
            store(result, rows, block)
        return result
    result = zeros_like(X, shape)
    for rows, _, codes, units in _iter_codes(estimator, module, X):
        store_codes(result, rows, units.codes(codes), features)
    return result


def encode_csr(estimator: "BaseSAE", X: Rows, features: Integers | None = None) -> sparse.csr_array:
    """Codes of all rows as CSR, from the active sets of chunks."""
    values, columns = _Growing(sparse_dtype(X)), _Growing(np.int32)
    counts = [np.zeros(1, dtype=np.int64)]
    for _, _, codes, units in _iter_codes(estimator, read_module(estimator), X):
        block = units.codes(codes).csr()
        block = block if features is None else block[:, features]
        values.append(block.data)
        columns.append(block.indices)
        counts.append(np.diff(block.indptr))
    row_ends = np.concatenate(counts).cumsum()
    width = estimator.n_components_ if features is None else len(features)
    # Much of scikit-learn takes no other than 32-bit indices.
    kind = np.int32 if max(row_ends[-1], width) < 2**31 else np.int64
    matrix = sparse.csr_array(
        (values.whole(), columns.whole().astype(kind, copy=False), row_ends.astype(kind)),
        shape=(len(X), width),
    )
    matrix.sort_indices()
    return matrix


class _Growing:
    """An array that grows in place.

    A list of small ones would lie between the large temporaries, and keep the allocator from
    using the memory of those again.
    """

    def __init__(self, dtype: type[np.generic]) -> None:
        self._array: NDArray[Any] = np.empty(0, dtype=dtype)
        self._size = 0

    def append(self, block: NDArray[Any]) -> None:
        """Add a block at the end."""
        start, self._size = self._size, self._size + len(block)
        if self._size > len(self._array):
            self._array.resize(max(self._size, len(self._array) * 3 // 2), refcheck=False)
        self._array[start : self._size] = block

    def whole(self) -> NDArray[Any]:
        """Return all that was added."""
        self._array.resize(self._size, refcheck=False)
        return self._array


def _iter_elementwise(
    estimator: "BaseSAE", module: Autoencoder, X: Rows, features: Integers | None
) -> Iterator[tuple[slice, Tensor]]:
    """Yield rows and their codes, in the units of the input, as the product leaves them."""
    asked: Tensor | slice = slice(None)
    if features is not None:
        asked = torch.as_tensor(features, device=module.encoder.bias.device)
    weight, bias = module.encoder.weight[asked], module.encoder.bias[asked]
    for rows, _, x, units in _iter_rows(estimator, X):
        start = rows.start
        for block in iter_pre_codes(units.rows(x) - module.offset, weight, bias):
            stop = start + len(block)
            within = slice(start - rows.start, stop - rows.start)
            dense = module.activation.activate(block, asked, module.encoder.bias)
            yield slice(start, stop), units.codes_(dense, within, asked)
            start = stop


def reconstruct(estimator: "BaseSAE", X: Rows) -> Data:
    """Reconstructions of all rows, each with its own scale."""
    result = empty_like(X, (len(X), len(estimator.decoder_bias_)))
    for rows, _, _, reconstruction in iter_reconstructions(estimator, X):
        store(result, rows, reconstruction)
    return result


def iter_reconstructions(
    estimator: "BaseSAE", X: Rows
) -> Iterator[tuple[slice, Data, Codes, Tensor]]:
    """Yield rows, their data, codes and reconstruction; codes are in the units of training."""
    module = read_module(estimator)
    for rows, given, x, units in _iter_rows(estimator, X):
        scaled = units.rows(x)
        codes = estimator._encode_rows(module, scaled)
        yield rows, given, codes, units.outputs(module.reconstruct(scaled, codes))


def explained_variance(estimator: "BaseSAE", X: Rows, y: Rows | None = None) -> float:
    """Explained variance of the reconstructions of `X` or, if there are targets, of those.

    In the float types that the caller sees: rounding to the module's may take all variance away.
    """
    statistics = ReconstructionStatistics()
    for rows, given, _, reconstruction in iter_reconstructions(estimator, X):
        wanted = given if y is None else y[rows]
        statistics.update(wanted, as_stored(X, reconstruction))
    return statistics.explained_variance


def iter_scaled(estimator: "BaseSAE", X: Rows) -> Iterator[tuple[Tensor, Codes]]:
    """Yield rows and their codes in the units of training."""
    module = read_module(estimator)
    for _, x, codes, units in _iter_codes(estimator, module, X):
        yield units.rows(x), codes


def iter_residuals(estimator: "BaseSAE", X: Rows) -> Iterator[tuple[Codes, Tensor | float, Tensor]]:
    """Yield codes, how much of the decoder bias each row has, and what is left over of the rows.

    All is in the units of the input.
    """
    module, mean = read_module(estimator), estimator._scaling.factor
    for _, x, codes, units in _iter_codes(estimator, module, X):
        left = x - units.outputs(module.decoder(codes))
        yield units.codes(codes), mean * units.sizes, left


def decode(estimator: "BaseSAE", codes: Data | sparse.csr_array) -> Data:
    """Reconstructions from codes in the units of the input."""
    decoder, units = read_module(estimator).decoder, mean_units(estimator)
    n_outputs = len(decoder.bias)
    result = empty_like(codes, (codes.shape[0], n_outputs))
    with _working(estimator) as workspace:
        for rows in _chunks(codes.shape[0], max(codes.shape[1], n_outputs)):
            with workspace.step():
                block = units.trained(_to_codes(estimator, codes[rows]))
                store(result, rows, units.outputs(decoder(block)))
    return result


def _to_codes(estimator: "BaseSAE", block: Data | sparse.csr_array) -> Codes:
    """Wrap a user's codes, on the device of the module."""
    if not isinstance(block, sparse.csr_array):
        return DenseCodes(_source(estimator, block).take(slice(None)))
    bias = estimator.net_.module_.decoder.bias
    columns, starts = (
        torch.as_tensor(part.astype(np.int32), device=bias.device)
        for part in (block.indices, block.indptr)
    )
    return ActiveCodes(
        torch.as_tensor(block.data, dtype=bias.dtype, device=bias.device),
        Pattern(columns, starts, block.shape[1]),
    )


def _iter_codes(
    estimator: "BaseSAE", module: Autoencoder, X: Rows
) -> Iterator[tuple[slice, Tensor, Codes, Units]]:
    """Yield rows, their data, their codes in the units of training, and those units."""
    for rows, _, x, units in _iter_rows(estimator, X):
        yield rows, x, estimator._encode_rows(module, units.rows(x)), units


def _iter_rows(estimator: "BaseSAE", X: Rows) -> Iterator[tuple[slice, Data, Tensor, Units]]:
    """Yield rows, their data as given and as the module takes them, and their units.

    What is yielded lasts until the next.
    """
    with _working(estimator) as workspace:
        for rows in _chunks(len(X), max(estimator.n_components_, X.shape[1])):
            with workspace.step():
                # Shards know slices only.
                given = X[rows]
                x = _source(estimator, given).take(slice(None))
                yield rows, given, x, units_of(estimator, x)


@contextmanager
def _working(estimator: "BaseSAE") -> Iterator[Workspace]:
    """Memory for chunks, no gradients, the precision; parameters may have changed since `fit`."""
    validate_params(estimator)
    with torch.no_grad(), matmul_precision(estimator.matmul_precision):
        yield Workspace(is_for_reading=True)


def _source(estimator: "BaseSAE", X: Data) -> ArraySource:
    """Wrap data on the way to the module: its device, its dtype."""
    return ArraySource(X, estimator.net_.device, estimator.net_.module_.decoder.bias.dtype)


def _chunks(n_rows: int, width: int) -> Iterator[slice]:
    """Slices of rows whose widest temporary, `width` numbers per row, takes CHUNK_BYTES."""
    size = max(LEAST_ROWS, CHUNK_BYTES // (4 * width))
    return (slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size))
