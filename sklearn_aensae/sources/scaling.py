"""Input scaling: part of what an estimator has learned, undone in all it hands out."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from sklearn_aensae.sources.whitening import Whitening

__all__ = ["SCALINGS", "InputScaling"]

SCALINGS = (None, "mean_norm", "sample_norm", "whiten")

LEAST_SHARE = 1e-6
"""Share of the mean norm below which a row counts as 0: it has no direction to be brought to norm.

What is predicted of it, a target, is not 0 for that: it is scaled as that of a row of mean norm.
"""


@dataclass(frozen=True)
class InputScaling:
    """What lies between the units of the input and those in which the SAE is trained.

    Parameters
    ----------
    mode : {None, "mean_norm", "sample_norm", "whiten"}
        No scaling; one factor for all rows; one factor per row, sqrt(n_features) / norm; or a
        matrix, which knows neither targets nor views.
    factor : float
        The factor of all rows; in mode "sample_norm" the factor of a row of mean norm, used
        when only codes are known.
    target_factor : float, default=1.0
        By how much more the targets of a row are scaled than the row, where there are any.
    view_sizes : tuple of int, default=()
        Columns of each view, if the features are several views side by side.
    view_factors : tuple of float, default=()
        By how much more each view is scaled than the row.
    whitening : Whitening or None, default=None
        The matrix, in mode "whiten"; the factor is 1 then.
    """

    mode: str | None
    factor: float
    target_factor: float = 1.0
    view_sizes: tuple[int, ...] = ()
    view_factors: tuple[float, ...] = ()
    whitening: Whitening | None = None

    @classmethod
    def fit(
        cls,
        mode: str | None,
        sample: Tensor,
        n_targets: int = 0,
        view_sizes: tuple[int, ...] = (),
    ) -> "InputScaling":
        """Estimate factors with which rows, views and targets have mean norm sqrt(n_columns).

        Parameters
        ----------
        mode : {None, "mean_norm", "sample_norm", "whiten"}
            As above.
        sample : Tensor of shape (n_rows, n_features + n_targets)
            Rows, each with its target.
        n_targets : int, default=0
            How many columns, the last ones, are targets.
        view_sizes : tuple of int, default=()
            As above.

        Raises
        ------
        ValueError
            If the float type of the sample does not hold its values or a factor, or sums of
            squares may be infinite.
        """
        largest = max(abs(float(end)) for end in sample.aminmax())
        if not math.isfinite(largest):
            raise ValueError(
                f"X has values that are infinite in {_name(sample)}; set dtype='float64', or "
                "scale X."
            )
        if mode is None:
            return cls(mode, 1.0, 1.0, view_sizes, (1.0,) * len(view_sizes))
        if not math.isfinite(largest * largest * sample.numel()):
            raise ValueError(
                f"X has values too large for input_scaling={mode!r}, up to {largest:.3g}: sums of "
                "their squares are infinite in float64."
            )
        if mode == "whiten":
            return cls(mode, 1.0, whitening=Whitening.fit(sample))
        x, targets = sample.split([sample.shape[1] - n_targets, n_targets], 1)
        factor = _unit_factor(x)
        if not sample.new_tensor(factor).isfinite():
            raise ValueError(
                f"X has values too small for input_scaling={mode!r}, up to {largest:.3g}: the "
                f"factor {factor:.3g} is infinite in {_name(sample)}; set dtype='float64', or "
                "scale X."
            )
        views = tuple(_unit_factor(view) / factor for view in x.split(view_sizes or x.shape[1], 1))
        target_factor = _unit_factor(targets) / factor if n_targets else 1.0
        return cls(mode, factor, target_factor, view_sizes, views if view_sizes else ())

    def factors(self, x: Tensor) -> Tensor | float:
        """Return the factor of each row, shape (batch, 1), or the one factor of all."""
        if self.mode != "sample_norm":
            return self.factor
        shares = self._shares(x)
        return self.factor / torch.where(shares > 0, shares, 1.0)

    def sizes(self, x: Tensor) -> Tensor | float:
        """Return by what codes and reconstructions of each row are multiplied, on the way back.

        That is 1 over its factor; but a row that counts as 0 has codes and a reconstruction of 0.
        """
        return self._shares(x) / self.factor if self.mode == "sample_norm" else 1 / self.factor

    def prepare_(self, rows: Tensor, n_targets: int) -> tuple[Tensor, Tensor]:
        """Scale inputs and what is to be reconstructed of each, in the same memory if that can be.

        Those are the last `n_targets` columns or, without targets, the inputs themselves. A target
        is scaled with its row.
        """
        if not n_targets:
            rows = self.scale_(rows)
            return rows, rows
        x, targets = rows[:, :-n_targets], rows[:, -n_targets:]
        factors = self.factors(x)
        return self._balance_(x.mul_(factors)), targets.mul_(factors * self.target_factor)

    def scale_(self, x: Tensor) -> Tensor:
        """Rows in the units of training, in the same memory if that can be."""
        if self.whitening is not None:
            return self.whitening.apply(x)
        return x if self.mode is None else self._balance_(x.mul_(self.factors(x)))

    def scale(self, x: Tensor) -> Tensor:
        """Rows in the units of training."""
        return self.scale_(x.clone())

    def column_factors(self, like: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return by how much more columns are scaled than the row: of inputs and of outputs.

        None stands for all alike; otherwise a tensor of shape (n_columns,) or (), like `like`.
        """
        if self.target_factor != 1:
            return None, like.new_tensor(self.target_factor)
        if all(factor == 1 for factor in self.view_factors):
            return None, None
        sizes = torch.tensor(self.view_sizes, device=like.device)
        columns = like.new_tensor(self.view_factors).repeat_interleave(sizes)
        return columns, columns

    def state(self) -> dict[str, Any]:
        """Fields as plain values and tensors."""
        fields = asdict(self)
        if fields["whitening"] is not None:
            arrays = fields["whitening"].items()
            fields["whitening"] = {name: torch.tensor(array) for name, array in arrays}
        return fields

    @classmethod
    def from_state(cls, fields: Mapping[str, Any]) -> "InputScaling":
        """Return the scaling whose `state` that is, or was before there was whitening."""
        whitening = fields.get("whitening")
        if whitening is not None:
            arrays = {name: tensor.cpu().numpy() for name, tensor in whitening.items()}
            whitening = Whitening(**arrays)
        return cls(**{**fields, "whitening": whitening})

    def _shares(self, x: Tensor) -> Tensor:
        """Norm of each row over the mean norm, shape (batch, 1); 0 if it is next to nothing."""
        # Of the order of 1 first: squares of large numbers overflow, those of small ones vanish.
        x = self._balance_(x * self.factor)
        shares = torch.linalg.vector_norm(x, dim=1, keepdim=True) / math.sqrt(x.shape[1])
        return torch.where(shares > LEAST_SHARE, shares, 0.0)

    def _balance_(self, x: Tensor) -> Tensor:
        """Scale views relative to each other, in the same memory."""
        if self.view_sizes:
            for view, factor in zip(x.split(self.view_sizes, 1), self.view_factors, strict=True):
                view.mul_(factor)
        return x


def _name(like: Tensor) -> str:
    """Return the float type as `dtype` names it."""
    return str(like.dtype).removeprefix("torch.")


def _unit_factor(rows: Tensor) -> float:
    """Return the factor with which rows have mean norm sqrt(n_columns)."""
    mean_norm = float(torch.linalg.vector_norm(rows.double(), dim=1).mean())
    return math.sqrt(rows.shape[1]) / mean_norm if mean_norm > 0 else 1.0
