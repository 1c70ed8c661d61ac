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
    target_factor : float, default=1.0
        By how much more the targets of a row are scaled than the row, where there are any.
    """

    mode: str | None
    factor: float
    target_factor: float = 1.0

    @classmethod
    def fit(cls, mode: str | None, sample: Tensor, n_targets: int = 0) -> "InputScaling":
        """Estimate the factors with which rows, and targets, have mean norm sqrt(n_columns).

        Parameters
        ----------
        mode : {None, "mean_norm", "sample_norm"}
            As above.
        sample : Tensor of shape (n_rows, n_features + n_targets)
            Rows, each with its target.
        n_targets : int, default=0
            How many columns, the last ones, are targets.
        """
        if mode is None:
            return cls(mode, 1.0)
        n_features = sample.shape[1] - n_targets
        factor = _unit_factor(sample[:, :n_features])
        if not n_targets:
            return cls(mode, factor)
        return cls(mode, factor, _unit_factor(sample[:, n_features:]) / factor)

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

    def prepare_(self, rows: Tensor, n_targets: int) -> tuple[Tensor, Tensor]:
        """Scale inputs and what is to be reconstructed of each, in the same memory.

        Those are the last `n_targets` columns or, without targets, the inputs themselves. A target
        is scaled with its row.
        """
        if not n_targets:
            self.scale_(rows)
            return rows, rows
        x, targets = rows[:, :-n_targets], rows[:, -n_targets:]
        factors = self.factors(x)
        return x.mul_(factors), targets.mul_(factors * self.target_factor)


def _unit_factor(rows: Tensor) -> float:
    """Return the factor with which rows have mean norm sqrt(n_columns)."""
    mean_norm = float(torch.linalg.vector_norm(rows.double(), dim=1).mean())
    return math.sqrt(rows.shape[1]) / mean_norm if mean_norm > 0 else 1.0
