"""The dense step of ReLU codes, for as long as many components are active."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from sklearn_aensae.kernels.square_sum import square_sum
from sklearn_aensae.kernels.workspace import current_workspace

__all__ = ["dense_decode", "dense_relu_encode"]

BLOCK_ROWS = 256
"""Rows whose sums are taken while they are in cache."""


def dense_relu_encode(
    x: Tensor, weight: Tensor, bias: Tensor, offset: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    r"""Codes :math:`\mathrm{ReLU}(W (x - b) + c)` and their sums, in one pass over memory.

    Whoever needs only sums (penalties do) should use these: their gradients meet that of the
    codes in one buffer, while autograd would make a new (batch, n_components) tensor for each.

    Parameters
    ----------
    x : Tensor of shape (batch, n_features)
        Rows.
    weight : Tensor of shape (n_components, n_features)
        :math:`W`.
    bias, offset : Tensors of shape (n_components,) and (n_features,)
        :math:`c` and :math:`b`.

    Returns
    -------
    values : Tensor of shape (batch, n_components)
        Codes.
    component_sums : Tensor of shape (n_components,)
        Sums over rows.
    square_sum : Tensor of shape ()
        Sum of all squared codes.
    firing_counts : integer Tensor of shape (n_components,)
        Rows in which each component is active; no gradient.
    """
    return _encode(x, weight, bias, offset)


def dense_decode(values: Tensor, atoms: Tensor) -> Tensor:
    """Product values @ atoms, whose gradients use the workspace.

    Parameters
    ----------
    values : Tensor of shape (batch, n_components)
        Codes.
    atoms : Tensor of shape (n_components, n_features)
        Decoder.
    """
    return _decode(values, atoms)


class _DenseEncode(Function):
    """Linear map, ReLU and sums; one gradient buffer for all of them."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, offset: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        workspace = current_workspace()
        centered = torch.sub(x, offset, out=workspace.take("centered", tuple(x.shape), x))
        values = workspace.take("codes", (len(x), len(weight)), x)
        sums, squares = x.new_zeros(len(weight)), x.new_zeros(())
        counts = torch.zeros_like(sums)
        for rows, block in zip(centered.split(BLOCK_ROWS), values.split(BLOCK_ROWS), strict=True):
            torch.addmm(bias, rows, weight.t(), out=block).relu_()
            sums += block.sum(0)
            squares += square_sum(block)
            counts += block.sign().sum(0)
        counts = counts.long()
        ctx.mark_non_differentiable(counts)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(weight, centered, values)
        ctx.workspace = workspace
        return values, sums, squares, counts

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any,
        for_values: Tensor | None,
        for_sums: Tensor | None,
        for_squares: Tensor | None,
        _: None,
    ) -> tuple[Tensor | None, ...]:
        weight, centered, values = ctx.saved_tensors
        if for_values is not None and ctx.workspace.lends("codes_gradient", for_values):
            # Made by `dense_decode` and seen by nobody else: autograd would have copied it.
            gradient = for_values
        else:
            gradient = ctx.workspace.take("pre_codes_gradient", tuple(values.shape), values)
            gradient.zero_() if for_values is None else gradient.copy_(for_values)
        for_weight = ctx.workspace.take("encoder_gradient", tuple(weight.shape), weight)
        sums = values.new_zeros(values.shape[1])
        for start in range(0, len(values), BLOCK_ROWS):
            rows = slice(start, start + BLOCK_ROWS)
            block, codes = gradient[rows], values[rows]
            if for_sums is not None:
                block += for_sums
            if for_squares is not None:
                torch.addcmul(block, codes, for_squares, value=2, out=block)
            torch.ops.aten.threshold_backward.grad_input(block, codes, 0, grad_input=block)
            sums += block.sum(0)
        torch.mm(gradient.t(), centered, out=for_weight)
        for_x = gradient @ weight if ctx.needs_input_grad[0] else None
        return for_x, for_weight, sums, -(sums @ weight)


class _DenseDecode(Function):
    """Product whose gradients are written into lent memory."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, atoms: Tensor) -> Tensor:
        ctx.save_for_backward(values, atoms)
        ctx.workspace = current_workspace()
        return values @ atoms

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        values, atoms = ctx.saved_tensors
        take = ctx.workspace.take
        for_values = for_atoms = None
        if ctx.needs_input_grad[0]:
            for_values = take("codes_gradient", tuple(values.shape), values)
            torch.mm(gradient, atoms.t(), out=for_values)
        if ctx.needs_input_grad[1]:
            for_atoms = take("atoms_gradient", tuple(atoms.shape), atoms)
            torch.mm(values.t(), gradient, out=for_atoms)
        return for_values, for_atoms


_encode: Callable[..., tuple[Tensor, Tensor, Tensor, Tensor]] = _DenseEncode.apply
_decode: Callable[..., Tensor] = _DenseDecode.apply
