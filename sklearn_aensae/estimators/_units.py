"""Between the units of the input and those of training: rows, codes and outputs, both ways."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sklearn_aensae.kernels import Codes
from sklearn_aensae.sources import Whitening

if TYPE_CHECKING:
    from sklearn_aensae.estimators._base import BaseSAE

__all__ = ["Units", "mean_units", "units_of"]


@dataclass(frozen=True)
class Units:
    """What becomes of some rows, of their codes and of what these are decoded to.

    Parameters
    ----------
    factors : float or Tensor of shape (batch, 1)
        By what rows are scaled, if they are not whitened.
    whitening : Whitening or None, default=None
        How they are whitened.
    code_scale : Tensor of shape (n_components,) or None, default=None
        By how much codes are larger than the module's: the norms that its atoms have in the units
        of the input.
    """

    factors: Tensor | float
    whitening: Whitening | None = None
    code_scale: Tensor | None = None

    def rows(self, x: Tensor) -> Tensor:
        """Rows as the module takes them, a new tensor."""
        return x * self.factors if self.whitening is None else self.whitening.apply(x)

    def outputs(self, reconstructions: Tensor) -> Tensor:
        """Return what the module gives, in the units of the input."""
        if self.whitening is None:
            return reconstructions / self.factors
        return self.whitening.undo(reconstructions)

    def codes(self, codes: Codes) -> Codes:
        """Codes of the module, in the units of the input."""
        if self.whitening is None:
            codes = codes.scaled(1 / self.factors)
        return codes if self.code_scale is None else codes.weighted(self.code_scale)

    def codes_(self, block: Tensor, rows: slice, columns: Tensor | slice) -> Tensor:
        """Return the same for a dense block of these rows and components, in its memory."""
        if self.whitening is None:
            factors = self.factors[rows] if isinstance(self.factors, Tensor) else self.factors
            block = block.mul_(1 / factors)
        return block if self.code_scale is None else block.mul_(self.code_scale[columns])

    def trained(self, codes: Codes) -> Codes:
        """Codes in the units of the input, as the module takes them."""
        if self.whitening is None:
            codes = codes.scaled(self.factors)
        # An atom of norm 0 has codes of 0.
        scale = self.code_scale
        return codes if scale is None else codes.weighted(1 / scale.clamp(min=1e-12))


def units_of(estimator: "BaseSAE", x: Tensor) -> Units:
    """Return the units of rows `x` of a fitted estimator."""
    return _units(estimator, estimator._scaling.factors(x))


def mean_units(estimator: "BaseSAE") -> Units:
    """Return the units of a row of mean norm."""
    return _units(estimator, estimator._scaling.factor)


def _units(estimator: "BaseSAE", factors: Tensor | float) -> Units:
    """Return factors or the whitening in their place, and norms if there are any."""
    whitening, scale = estimator._scaling.whitening, estimator.code_scale_
    if scale is None:
        return Units(factors, whitening)
    device = estimator.net_.module_.decoder.bias.device
    return Units(factors, whitening, torch.tensor(scale, device=device))
