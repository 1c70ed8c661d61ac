"""Whitening: the map to rows that vary alike in all directions, and the way back."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklearn_aensae.kernels import matmul_precision

__all__ = ["RIDGE", "Whitening"]

RIDGE = 1e-3
"""What is added to the variance of each direction, in multiples of their mean."""

ROUNDING = 1e-20
"""Variance over mean square below which data are constant but for rounding."""


@dataclass(frozen=True, eq=False)
class Whitening:
    r"""ZCA whitening with a ridge, and one factor.

    .. math::
        x' = M (x - \mu), \qquad
        M = c \, V \operatorname{diag}\big(v_i + \rho \bar v\big)^{-1/2} V^\top

    with the eigenvectors V and eigenvalues :math:`v_i` of the covariance, :math:`\bar v` their
    mean, :math:`\rho` = 1e-3, and c such that rows have mean norm sqrt(n_features), as in the other
    scalings. Of all whitenings, this one (ZCA) moves rows the least.

    The ridge decides who counts as noise: a direction with a thousandth of the mean variance is
    whitened by half, and none grows by more than :math:`\rho^{-1/2} \approx 32` times what one of
    mean variance does. So M exists, and has an exact inverse with a condition of at most
    sqrt(1 + n_features / 1e-3), also where rows are fewer than features or columns are constant;
    rounding in directions without data stays rounding.

    Parameters
    ----------
    mean : ndarray of shape (n_features,)
        :math:`\mu`.
    matrix : ndarray of shape (n_features, n_features)
        M, symmetric.

    References
    ----------
    Bell and Sejnowski (1997). The "independent components" of natural scenes are edge filters.
    Vision Research 37(23). ZCA.

    Kessy, Lewin and Strimmer (2018). Optimal whitening and decorrelation. The American
    Statistician 72(4). :arxiv:`1512.00809`. That it moves rows the least.
    """

    mean: NDArray[np.float64]
    matrix: NDArray[np.float64]

    @classmethod
    def fit(cls, sample: Tensor) -> "Whitening":
        """Estimate from the rows of `sample`; the eigenvectors cost O(n_features^3).

        Rows that are all alike give the identity.
        """
        # As the float type of training can hold it: what is subtracted is what is written down.
        mean = sample.double().mean(0).to(sample.dtype).double()
        x = sample.double() - mean
        variances, vectors = torch.linalg.eigh(x.T @ x / len(x))
        variances = variances.clamp(min=0)
        average = variances.mean()
        if average <= ROUNDING * sample.double().square().mean():
            return cls(mean.numpy(), np.eye(len(mean)))
        matrix = vectors * (variances + RIDGE * average).rsqrt() @ vectors.T
        norm = torch.linalg.vector_norm(x @ matrix, dim=1).mean()
        matrix = matrix * (math.sqrt(len(mean)) / norm)
        return cls(mean.numpy(), ((matrix + matrix.T) / 2).numpy())

    @cached_property
    def inverse(self) -> NDArray[np.float64]:
        """Inverse of the matrix, symmetric."""
        inverse = np.linalg.inv(self.matrix)
        return (inverse + inverse.T) / 2

    def apply(self, rows: Tensor) -> Tensor:
        """Whitened rows, a new tensor."""
        mean, matrix, _ = self._parts(rows)
        with matmul_precision("highest"):
            return (rows - mean) @ matrix

    def undo(self, rows: Tensor) -> Tensor:
        """Rows of which these are the whitened ones, a new tensor."""
        mean, _, inverse = self._parts(rows)
        with matmul_precision("highest"):
            return torch.addmm(mean, rows, inverse)

    def _parts(self, like: Tensor) -> tuple[Tensor, ...]:
        """Mean, matrix and inverse on the device of a tensor and of its type; kept for the next."""
        key = (like.device, like.dtype)
        if key != self._cached.get("key"):
            arrays = (self.mean, self.matrix, self.inverse)
            self._cached["parts"] = tuple(
                torch.tensor(part, dtype=like.dtype, device=like.device) for part in arrays
            )
            self._cached["key"] = key
        parts: tuple[Tensor, ...] = self._cached["parts"]
        return parts

    @cached_property
    def _cached(self) -> dict[str, Any]:
        return {}

    def __getstate__(self) -> dict[str, Any]:
        """State without tensors: it loads on any device."""
        return {"mean": self.mean, "matrix": self.matrix}
