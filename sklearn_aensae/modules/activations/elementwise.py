"""Activations of each pre-code by itself: dense while many are active, sparse from then on."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from sklearn_aensae import _devices
from sklearn_aensae._warnings import warn
from sklearn_aensae.kernels import (
    ActiveCodes,
    Codes,
    DenseCodes,
    Pattern,
    Selected,
    select_above,
    select_top,
    select_top_by,
)
from sklearn_aensae.modules.activations.base import Activation

__all__ = ["BREAK_EVEN", "Elementwise", "entries_of"]

BREAK_EVEN = 0.12
"""Share of active components above which the dense step is the faster one: measured as 0.17 for
192 and 512 features (1,536 and 4,096 components), as 0.10 for 1,024 features (16,384)."""

MARGIN = 1.5
"""Room in a fixed capacity, over the most active components seen in a row."""

SAMPLE_ROWS = 256
"""Rows of a dense batch in which active components are counted for that."""


class Elementwise(Activation):
    """Codes that depend on their own pre-codes, computed densely while many are active.

    Active are the pre-codes above `bound`: all that have a code or, as close to a threshold that
    learns, only a gradient. Both ways give the same codes and gradients. Where the host may look
    at any tensor (the CPU), a batch goes the way for which the density of the last one speaks.
    Elsewhere each row has a fixed number of entries, its `capacity`, set at log rows from the most
    that were active in a row since the last; a row that has more in training keeps its largest, and
    the next log row warns of it and goes back to dense steps.

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
        # A capacity that a GPU needed, and that came with the state, is none on the host.
        if not self.capacity or _devices.reads_are_free(block.device):
            return select_above(block, bound)
        if isinstance(bound, float):
            return select_top(block, self.capacity)
        return select_top_by(block, block - bound, self.capacity)

    def encode(self, x: Tensor, weight: Tensor, bias: Tensor, offset: Tensor) -> Codes:
        """Codes of W(x - offset) + bias, dense or active."""
        on_host = _devices.reads_are_free(x.device)
        few = self.density < BREAK_EVEN if on_host else self.training and self.capacity > 0
        encode = super().encode if few else self.encode_dense
        return encode(x, weight, bias, offset)

    def encode_dense(self, x: Tensor, weight: Tensor, bias: Tensor, offset: Tensor) -> Codes:
        """Codes of all components, by autograd."""
        pre_codes = functional.linear(x - offset, weight, bias)
        self.count_dense(pre_codes)
        everything = slice(None)
        gates = self.gate(pre_codes, everything, bias)
        return DenseCodes(self.activate(pre_codes, everything, bias), gates=gates)

    def active_codes(self, values: Tensor, pattern: Pattern, bias: Tensor) -> ActiveCodes:
        """Codes of selected pre-codes, counted in training."""
        if self.training:
            self._count_active(values, pattern)
        return super().active_codes(values, pattern, bias)

    @torch.no_grad()
    def count_dense(self, pre_codes: Tensor, n_active: Tensor | None = None) -> None:
        """Count what is above the bound: on the host all, elsewhere the most of some row.

        Parameters
        ----------
        pre_codes : Tensor of shape (batch, n_components)
            Pre-codes, or codes where these are above the bound just as often.
        n_active : Tensor of shape () or None
            The number of all, where it is known.
        """
        if not self.training:
            return
        if _devices.reads_are_free(pre_codes.device):
            n_active = (pre_codes > self.bound()).sum() if n_active is None else n_active
            self.density = float(n_active) / pre_codes.numel()
        else:
            self.n_components = pre_codes.shape[1]
            most = (pre_codes[:SAMPLE_ROWS] > self.bound()).sum(1).max()
            torch.maximum(self.most_active, most, out=self.most_active)

    @torch.no_grad()
    def _count_active(self, values: Tensor, pattern: Pattern) -> None:
        """Count the entries: on the host all, elsewhere the most of a row, and full rows."""
        if _devices.reads_are_free(values.device):
            self.density = len(values) / (pattern.n_rows * pattern.n_columns)
            return
        self.n_components = pattern.n_columns
        bound = self.bound()
        if isinstance(bound, Tensor):
            bound = entries_of(bound, pattern.columns)
        active = (values > bound).view(pattern.n_rows, -1)
        self.n_overflowing += active.all(1).sum()
        torch.maximum(self.most_active, active.sum(1).max(), out=self.most_active)

    def adapt(self) -> None:
        """Set the capacity from what was counted since the last time."""
        most, n_overflowing = (int(count) for count in (self.most_active, self.n_overflowing))
        self.most_active.zero_()
        self.n_overflowing.zero_()
        if n_overflowing:
            warn(
                f"{n_overflowing} rows since the last log row had at least {self.capacity} active "
                "components, more than there was room for: the smallest of their codes were left "
                "out. The next steps are dense.",
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


def entries_of(vector: Tensor, columns: Tensor | slice) -> Tensor:
    """Return what entries in these columns take of one number per component; differentiable."""
    if isinstance(columns, slice):
        return vector[columns]
    # Its gradient is a plain sum by columns; that of vector[columns] would sort them.
    return vector.index_select(0, columns)
