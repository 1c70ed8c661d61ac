"""Activations of each pre-code by itself: dense while many are active, sparse from then on."""

import math
import warnings
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from sklearn_aensae import _devices
from sklearn_aensae.kernels import Codes, DenseCodes, Selected, select_above, select_top
from sklearn_aensae.modules.activations.base import Activation

__all__ = ["BREAK_EVEN", "Elementwise"]

BREAK_EVEN = 0.12
"""Share of active components above which the dense step is the faster one: measured as 0.17 for
192 and 512 features (1,536 and 4,096 components), as 0.10 for 1,024 features (16,384)."""

MARGIN = 1.5
"""Room in a fixed capacity, over the most active components seen in a row."""

SAMPLE_ROWS = 256
"""Rows of a dense batch in which active components are counted for that."""


class Elementwise(Activation):
    """Codes that depend on their own pre-codes, computed densely while many are active.

    Both ways give the same codes and gradients. Where the host may look at any tensor (the
    CPU), a batch goes the way for which the density of the last one speaks. Elsewhere each row
    has a fixed number of entries, its `capacity`, set at log rows from the most that were active
    in a row since the last; a row that has more in training keeps its largest, and the next log
    row warns of it and goes back to dense steps.

    Attributes
    ----------
    density : float
        Share of active components in the last training batch, on the CPU.
    capacity : int
        Entries per row, on other devices; 0 for dense steps.
    """

    elementwise = True
    most_active: Tensor
    n_overflowing: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.density = 1.0
        self.capacity = 0
        self.n_components = 0
        for name in ("most_active", "n_overflowing"):
            self.register_buffer(name, torch.zeros((), dtype=torch.long), persistent=False)

    def bound(self) -> Tensor | float:
        """Pre-codes up to here have neither a code nor a gradient: one bound or one each."""
        return 0.0

    def select(self, block: Tensor) -> Selected:
        """Choose the entries above the bound, or those for which there is room."""
        bound = self.bound()
        if not self.capacity:
            return select_above(block, bound)
        if isinstance(bound, float):
            return select_top(block, self.capacity)
        selected = select_top(block - bound, self.capacity)
        values = selected.values + (bound if bound.ndim == 0 else bound[selected.columns])
        return selected._replace(values=values)

    def encode(self, x: Tensor, weight: Tensor, bias: Tensor, offset: Tensor) -> Codes:
        """Codes of W(x - offset) + bias, dense or active."""
        on_host = _devices.reads_are_free(x.device)
        few = self.density < BREAK_EVEN if on_host else self.training and self.capacity > 0
        encode = super().encode if few else self.encode_dense
        codes = encode(x, weight, bias, offset)
        if self.training and on_host:
            self.density = float(codes.firing_counts.sum()) / (codes.n_rows * codes.n_components)
        elif self.training:
            self._count(codes)
        return codes

    def encode_dense(self, x: Tensor, weight: Tensor, bias: Tensor, offset: Tensor) -> Codes:
        """Codes of all components, by autograd."""
        pre_codes = functional.linear(x - offset, weight, bias)
        everything = slice(None)
        gates = self.gate(pre_codes, everything, bias)
        return DenseCodes(self.activate(pre_codes, everything, bias), gates=gates)

    @torch.no_grad()
    def _count(self, codes: Codes) -> None:
        """Count, on the device, the most active components of a row and rows without room."""
        self.n_components = codes.n_components
        if codes.is_sparse:
            active = codes.values.view(codes.n_rows, -1) > 0
            self.n_overflowing += active.all(1).sum()
        else:
            active = codes.values[:SAMPLE_ROWS] > 0
        torch.maximum(self.most_active, active.sum(1).max(), out=self.most_active)

    def adapt(self) -> None:
        """Set the capacity from what was counted since the last time."""
        most, n_overflowing = (int(count) for count in (self.most_active, self.n_overflowing))
        self.most_active.zero_()
        self.n_overflowing.zero_()
        if n_overflowing:
            warnings.warn(
                f"{n_overflowing} rows since the last log row had at least {self.capacity} active "
                "components, more than there was room for: the smallest of their codes were left "
                "out. The next steps are dense.",
                stacklevel=2,
            )
        room = 8 * max(1, math.ceil(MARGIN * most / 8))
        many = room >= BREAK_EVEN * self.n_components
        self.capacity = 0 if n_overflowing or many else room

    def get_extra_state(self) -> dict[str, Any]:
        """State for the state dict."""
        return {"density": self.density, "capacity": self.capacity}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore the state."""
        self.density, self.capacity = state["density"], state["capacity"]
