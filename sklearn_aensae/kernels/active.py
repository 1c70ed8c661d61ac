"""The sparse step: an encoder that is dense only forward, and gradients on the active set only."""

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


@torch.no_grad()
def _select(
    x: Tensor, weight: Tensor, bias: Tensor, select: Callable[[Tensor], Selected]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return values, columns and row starts of what `select` finds in the pre-codes."""
    blocks = []
    for block in iter_pre_codes(x, weight, bias, for_choice=True):
        blocks.append(select(block))
        # Else it would be there still while the next one is made.
        del block
    values = torch.cat([block.values for block in blocks])
    columns = torch.cat([block.columns for block in blocks]).int()
    if isinstance(blocks[0].counts, int):
        k = blocks[0].counts
        starts = torch.arange(0, k * len(x) + 1, k, dtype=torch.int32, device=x.device)
    else:
        counts = torch.cat([torch.as_tensor(block.counts) for block in blocks])
        starts = functional.pad(counts.cumsum(0, dtype=torch.int32), (1, 0))
    return values, columns, starts


def active_encode(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    offset: Tensor,
    select: Callable[[Tensor], Selected],
    *,
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
    if may_select_in_bfloat16(x):
        # Only the choice was bfloat16's: what was chosen is computed in single precision.
        with torch.no_grad():
            values = pattern.sampled_product(centered, weight).add_(bias[columns])
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
        for_x = pattern.product(gradient, weight) if ctx.needs_input_grad[0] else None
        for_weight = None
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
        return pattern.product(values, atoms)

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
