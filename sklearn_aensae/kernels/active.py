"""The sparse step: an encoder that is dense only forward, and gradients on the active set only."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

from sklearn_aensae.kernels.linear import iter_pre_codes
from sklearn_aensae.kernels.pattern import Pattern
from sklearn_aensae.kernels.precision import may_select_in_bfloat16
from sklearn_aensae.kernels.selection import Selected
from sklearn_aensae.kernels.workspace import current_workspace

__all__ = ["active_decode", "active_encode"]

SPARE_ROOM = 1.25
"""Entries for which there is room, over those that the first block of rows makes one expect."""


class _Entries:
    """Active entries of one block of rows after another, in memory that is there beforehand.

    Small results kept between large temporaries would leave holes on the heap, into which the
    next block does not fit: they took up to the size of all pre-codes.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self.values = torch.empty(0, dtype=dtype)
        self.columns = torch.empty(0, dtype=torch.int32)
        self.counts: list[Tensor | int] = []
        self.size = 0

    def append(self, selected: Selected, n_rows: int, n_rows_left: int) -> None:
        """Take in the entries of the next block, and make room for as many in those to come."""
        start, self.size = self.size, self.size + len(selected.values)
        if not self.counts or self.size > len(self.values):
            share = 1 if isinstance(selected.counts, int) else SPARE_ROOM
            room = self.size + math.ceil(share * len(selected.values) / n_rows * n_rows_left)
            old = self.values, self.columns
            self.values = selected.values.new_empty(room, dtype=old[0].dtype)
            self.columns = selected.columns.new_empty(room, dtype=torch.int32)
            if start:
                self.values[:start], self.columns[:start] = (part[:start] for part in old)
        self.values[start : self.size] = selected.values
        self.columns[start : self.size] = selected.columns
        self.counts.append(selected.counts)

    def starts(self) -> Tensor:
        """Where each row begins, and the number of entries."""
        k = self.counts[0]
        if isinstance(k, int):
            device = self.columns.device
            return torch.arange(0, self.size + 1, k, dtype=torch.int32, device=device)
        counts = torch.cat([torch.as_tensor(part) for part in self.counts])
        return functional.pad(counts.cumsum(0, dtype=torch.int32), (1, 0))


@torch.no_grad()
def _select(
    x: Tensor, weight: Tensor, bias: Tensor, select: Callable[[Tensor], Selected]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return values, columns and row starts of what `select` finds in the pre-codes."""
    entries, n_rows_left = _Entries(x.dtype), len(x)
    for block in iter_pre_codes(x, weight, bias, for_choice=True):
        n_rows = len(block)
        n_rows_left -= n_rows
        selected = select(block)
        # Else it would be there still while the next one is made.
        del block
        entries.append(selected, n_rows, n_rows_left)
    return entries.values[: entries.size], entries.columns[: entries.size], entries.starts()


def active_encode(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    offset: Tensor,
    select: Callable[[Tensor], Selected],
    *,
    choose: Callable[[Tensor, Pattern], Tensor | None] | None = None,
    subset: Tensor | None = None,
) -> tuple[Tensor, Pattern]:
    r"""Pre-codes :math:`W (x - b) + c` at the entries that `select` chooses.

    The forward product is dense, in blocks of rows that are never all in memory. Gradients with
    respect to all tensors cost O(active) and equal those of the dense computation, as the
    gradient of what is not selected is 0.

    Parameters
    ----------
    x : Tensor of shape (batch, n_features)
        Rows.
    weight : Tensor of shape (n_components, n_features)
        :math:`W`.
    bias, offset : Tensors of shape (n_components,) and (n_features,)
        :math:`c` and :math:`b`.
    select : callable
        Takes a block of pre-codes of shape (n_rows, n_candidates), returns `Selected`.
    choose : callable or None
        What `select` finds are then candidates. It takes the values of all of them and their
        `Pattern`, and returns the positions of those that are active, in ascending order; or
        None, if `select` is to be called once more as it left out too many.
    subset : integer Tensor of shape (n_candidates,) or None
        Components that may be selected; None for all.

    Returns
    -------
    values : Tensor of shape (n_active,)
        Differentiable.
    pattern : Pattern
        Of shape (batch, n_components).
    """
    workspace = current_workspace()
    with torch.no_grad():
        centered = torch.sub(x, offset, out=workspace.take("centered", tuple(x.shape), x))
        rows = (weight, bias) if subset is None else (weight[subset], bias[subset])
    values, columns, starts = _select(centered, *rows, select)
    if subset is not None:
        columns = subset[columns].int()
    pattern = Pattern(columns, starts, len(weight))
    if choose is not None:
        kept = choose(values, pattern)
        if kept is None:
            return active_encode(x, weight, bias, offset, select, choose=choose, subset=subset)
        values, pattern = values[kept], pattern.chosen(kept)
    if may_select_in_bfloat16(x):
        # Only the choice was bfloat16's: what was chosen is computed in single precision.
        with torch.no_grad():
            exact = pattern.sampled_product(centered, weight).add_(bias[pattern.columns])
            # What fills up a row of fixed length must not come to life.
            values = torch.where(values > 0, exact, values)
    return _give_gradient(x, weight, bias, offset, (values, centered, pattern)), pattern


def active_decode(values: Tensor, atoms: Tensor, pattern: Pattern) -> Tensor:
    """Codes times atoms, (batch, n_components) @ (n_components, n_features), in O(active).

    Parameters
    ----------
    values : Tensor of shape (n_active,)
        Codes at the entries of the pattern.
    atoms : Tensor of shape (n_components, n_features)
        Decoder.
    pattern : Pattern
        Of shape (batch, n_components).
    """
    return _decode(values, atoms, pattern)


class _ActiveEncode(Function):
    """Gives values that are already there the gradient of the linear map they came from."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        offset: Tensor,
        selection: tuple[Tensor, Tensor, Pattern],
    ) -> Tensor:
        values, centered, pattern = selection
        ctx.save_for_backward(weight, centered)
        ctx.pattern, ctx.workspace = pattern, current_workspace()
        return values.view_as(values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weight, centered = ctx.saved_tensors
        pattern: Pattern = ctx.pattern
        sums = pattern.column_sums(gradient)
        for_x = for_weight = None
        if ctx.needs_input_grad[0]:
            for_x = pattern.product(gradient, weight, ctx.workspace, "input_gradient")
        if ctx.needs_input_grad[1]:
            for_weight = pattern.transposed_product(
                gradient, centered, ctx.workspace, "encoder_gradient"
            )
        for_offset = -(sums @ weight) if ctx.needs_input_grad[3] else None
        return for_x, for_weight, sums, for_offset, None


class _ActiveDecode(Function):
    """Sparse times dense, with both gradients on the active set."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, atoms: Tensor, pattern: Pattern) -> Tensor:
        ctx.save_for_backward(values, atoms)
        ctx.pattern, ctx.workspace = pattern, current_workspace()
        return pattern.product(values, atoms, ctx.workspace, "reconstruction")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        values, atoms = ctx.saved_tensors
        pattern: Pattern = ctx.pattern
        gradient = gradient.contiguous()
        for_values = for_atoms = None
        if ctx.needs_input_grad[0]:
            for_values = pattern.sampled_product(gradient, atoms)
        if ctx.needs_input_grad[1]:
            for_atoms = pattern.transposed_product(
                values, gradient, ctx.workspace, "atoms_gradient"
            )
        return for_values, for_atoms, None


_give_gradient: Callable[..., Tensor] = _ActiveEncode.apply
_decode: Callable[..., Tensor] = _ActiveDecode.apply
