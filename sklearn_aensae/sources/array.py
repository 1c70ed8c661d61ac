"""Rows of an array or tensor in memory, fetched by index and moved to the device by batches."""

from collections.abc import Generator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklearn_aensae._devices import move
from sklearn_aensae.sources.base import Source

__all__ = ["ArraySource"]

FETCHED_VALUES = 2**18
"""How many values are fetched at once, if batches are smaller: a fetch costs as much as a step of
a small model."""


class ArraySource(Source):
    """Random access to the rows of `X`, which stays where it is.

    Parameters
    ----------
    X : ndarray or Tensor of shape (n_samples, n_features)
        Data of any float type, on any device.
    device : str
        Where batches go.
    dtype : torch.dtype
        What batches are converted to, on the device.
    subset : Tensor of shape (n_samples,) or None
        Positions in `X` of the rows that count, on the CPU; None for all.
    """

    def __init__(
        self,
        X: NDArray[np.floating] | Tensor,
        device: str,
        dtype: torch.dtype,
        subset: Tensor | None = None,
    ) -> None:
        self.X = _shared(X)
        self.subset = subset
        self.n_rows = X.shape[0] if subset is None else len(subset)
        super().__init__(X.shape[1], self.n_rows, device, dtype)

    def batches(
        self, batch_size: int, seed: int | None, *, skip: int = 0, n_batches: int | None = None
    ) -> Generator[Tensor]:
        """Batches as they are asked for: with the rows in memory a thread would gain nothing."""
        order = self._order(seed)
        starts = range(0, self.n_rows, batch_size)[skip:][:n_batches]
        n_fetched = max(1, FETCHED_VALUES // (batch_size * self.n_features))
        for first in range(0, len(starts), n_fetched):
            fetched = starts[first : first + n_fetched]
            rows = slice(fetched[0], min(fetched[-1] + batch_size, self.n_rows))
            yield from self.take(rows if order is None else order[rows]).split(batch_size)

    def sample(self, n_rows: int, seed: int | None) -> Tensor:
        """Random rows, or the first."""
        if self.n_rows <= n_rows or seed is None:
            return self.take(slice(0, n_rows))
        generator = torch.Generator().manual_seed(seed)
        return self.take(torch.randint(self.n_rows, (n_rows,), generator=generator))

    def split(self, fraction: float, seed: int) -> tuple["ArraySource", "ArraySource | None"]:
        """Part of the rows and the rest, a random `fraction` of them (None if that is 0)."""
        if not fraction:
            return self, None
        n_rest = max(1, round(self.n_rows * fraction))
        if n_rest == self.n_rows:
            raise ValueError(
                f"validation_fraction={fraction} leaves no row to train on; X has {n_rest}."
            )
        order = torch.randperm(self.n_rows, generator=torch.Generator().manual_seed(seed))
        parts = (order[n_rest:].sort().values, order[:n_rest].sort().values)
        first, rest = (ArraySource(self.X, self.device, self.dtype, part) for part in parts)
        return first, rest

    def take(self, rows: slice | Tensor) -> Tensor:
        """Copy of rows by position: a slice, or integer positions on the CPU."""
        if self.subset is not None:
            rows = self.subset[rows]
        if not isinstance(self.X, Tensor):
            block = torch.from_numpy(np.array(self.X[_as_index(rows)]))
        elif isinstance(rows, slice):
            block = self.X[rows].clone()
        else:
            block = self.X.index_select(0, move(rows, str(self.X.device)))
        return move(block, self.device).to(self.dtype)

    def _order(self, seed: int | None) -> Tensor | None:
        """Positions in the order of an epoch; None for the order of `X`."""
        if seed is None:
            return None
        return torch.randperm(self.n_rows, generator=torch.Generator().manual_seed(seed))


def _shared(X: NDArray[np.floating] | Tensor) -> NDArray[np.floating] | Tensor:
    """Return an array as a tensor on the same memory, which is faster to take rows from.

    Torch wraps neither read-only memory nor negative strides or foreign byte orders.
    """
    if isinstance(X, Tensor):
        return X
    wraps = X.flags.writeable and X.flags.c_contiguous and X.dtype.isnative
    return torch.from_numpy(X) if wraps else X


def _as_index(rows: slice | Tensor) -> slice | NDArray[np.int64]:
    """Return positions as numpy takes them."""
    return rows if isinstance(rows, slice) else rows.numpy()
