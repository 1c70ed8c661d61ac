"""Rows of an array, memmap or tensor, fetched by index and moved to the device by batches."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["ArraySource"]


class ArraySource:
    """Random access to the rows of `X`, which stays where it is.

    Parameters
    ----------
    X : ndarray, memmap or Tensor of shape (n_samples, n_features)
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
        self.X = X
        self.device = device
        self.dtype = dtype
        self.subset = subset
        self.n_samples = X.shape[0] if subset is None else len(subset)
        self.n_features = X.shape[1]

    def split(self, fraction: float, seed: int) -> tuple["ArraySource", "ArraySource | None"]:
        """Part of the rows and the rest, a random `fraction` of them (None if that is 0)."""
        n_rest = round(self.n_samples * fraction)
        if not n_rest:
            return self, None
        if n_rest == self.n_samples:
            raise ValueError(
                f"validation_fraction={fraction} leaves no row to train on; X has {n_rest}."
            )
        order = torch.randperm(self.n_samples, generator=torch.Generator().manual_seed(seed))
        parts = (order[n_rest:].sort().values, order[:n_rest].sort().values)
        first, rest = (ArraySource(self.X, self.device, self.dtype, part) for part in parts)
        return first, rest

    def take(self, rows: slice | Tensor) -> Tensor:
        """Rows by position: a slice, or integer positions on the CPU."""
        if self.subset is not None:
            rows = self.subset[rows]
        if isinstance(self.X, Tensor):
            block = self.X[rows if isinstance(rows, slice) else rows.to(self.X.device)]
        elif isinstance(rows, slice):
            # A copy, as torch cannot wrap read-only memory.
            block = torch.from_numpy(np.array(self.X[rows], copy=True))
        else:
            block = torch.from_numpy(np.asarray(self.X[rows.numpy()]))
        return block.to(self.device).to(self.dtype)
