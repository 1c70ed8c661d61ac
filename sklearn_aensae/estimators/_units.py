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
    sizes : float or Tensor of shape (batch, 1)
        By what their codes and outputs are then scaled: 1 over the factors, or 0.
    whitening : Whitening or None, default=None
        How they are whitened.
    code_scale : Tensor of shape (n_components,) or None, default=None
        By how much codes are larger than the module's: the norms that its atoms have in the units
        of the input.
    """

    factors: Tensor | float
    sizes: Tensor | float
    whitening: Whitening | None = None
    code_scale: Tensor | None = None

    def rows(self, x: Tensor) -> Tensor:
        """Rows as the module takes them, a new tensor."""
        return x * self.factors if self.whitening is None else self.whitening.apply(x)

    def outputs(self, reconstructions: Tensor) -> Tensor:
        """Return what the module gives, in the units of the input."""
        if self.whitening is None:
            return reconstructions * self.sizes
        return self.whitening.undo(reconstructions)

    def codes(self, codes: Codes) -> Codes:
        """Codes of the module, in the units of the input."""
        if self.whitening is None:
            codes = codes.scaled(self.sizes)
        return codes if self.code_scale is None else codes.weighted(self.code_scale)

    def codes_(self, block: Tensor, rows: slice, columns: Tensor | slice) -> Tensor:
        """Return the same for a dense block of these rows and components, in its memory."""
        if self.whitening is None:
            block = block.mul_(self.sizes[rows] if isinstance(self.sizes, Tensor) else self.sizes)
        return block if self.code_scale is None else block.mul_(self.code_scale[columns])

    def trained(self, codes: Codes) -> Codes:
        """Codes in the units of the input, as the module takes them."""
        if self.whitening is None:
            codes = codes.scaled(self.factors)
        # An atom of norm 0 has codes of 0.
        scale = self.code_scale
        return codes if scale is None else codes.weighted(1 / scale.where(scale > 0, 1))


def units_of(estimator: "BaseSAE", x: Tensor) -> Units:
    """Return the units of rows `x` of a fitted estimator."""
    scaling = estimator._scaling
    factors = scaling.factors(x)
    # A target of a row of zeros need not be 0.
    sizes = 1 / factors if estimator._plan.n_targets else scaling.sizes(x)
    return _units(estimator, factors, sizes)


def mean_units(estimator: "BaseSAE") -> Units:
    """Return the units of a row of mean norm."""
    factor = estimator._scaling.factor
    return _units(estimator, factor, 1 / factor)


def _units(estimator: "BaseSAE", factors: Tensor | float, sizes: Tensor | float) -> Units:
    """Return factors or the whitening in their place, and norms if there are any."""
    whitening, scale = estimator._scaling.whitening, estimator.code_scale_
    if scale is None:
        return Units(factors, sizes, whitening)
    device = estimator.net_.module_.decoder.bias.device
    return Units(factors, sizes, whitening, torch.tensor(scale, device=device))
