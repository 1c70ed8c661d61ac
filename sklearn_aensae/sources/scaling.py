"""Input scaling: part of what an estimator has learned, undone in all it hands out."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["SCALINGS", "InputScaling"]

SCALINGS = (None, "mean_norm", "sample_norm")


@dataclass(frozen=True)
class InputScaling:
    """Factor between the units of the input and those in which the SAE is trained.

    Parameters
    ----------
    mode : {None, "mean_norm", "sample_norm"}
        No scaling; one factor for all rows; or one factor per row, sqrt(n_features) / norm.
    factor : float
        The factor of all rows; in mode "sample_norm" the factor of a row of mean norm, used
        when only codes are known.
    """

    mode: str | None
    factor: float

    @classmethod
    def fit(cls, mode: str | None, sample: Tensor) -> "InputScaling":
        """Estimate the factor with which rows have mean norm sqrt(n_features)."""
        if mode is None:
            return cls(mode, 1.0)
        mean_norm = float(torch.linalg.vector_norm(sample.double(), dim=1).mean())
        return cls(mode, math.sqrt(sample.shape[1]) / mean_norm if mean_norm > 0 else 1.0)

    def factors(self, x: Tensor) -> Tensor | float:
        """Return the factor of each row, shape (batch, 1), or the one factor of all."""
        if self.mode != "sample_norm":
            return self.factor
        norms = torch.linalg.vector_norm(x, dim=1, keepdim=True)
        factors: Tensor = math.sqrt(x.shape[1]) / norms.clamp(min=1e-6)
        return factors

    def scale_(self, x: Tensor) -> Tensor:
        """Rows in the units of training, in the same memory."""
        return x if self.mode is None else x.mul_(self.factors(x))

    def scale(self, x: Tensor) -> Tensor:
        """Rows in the units of training."""
        return x if self.mode is None else x * self.factors(x)
