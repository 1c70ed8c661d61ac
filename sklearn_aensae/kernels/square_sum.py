"""Sum of squares with the digits that single precision has, whatever the number of entries."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

__all__ = ["square_sum"]

#: A CPU adds squares up one by one: of the sum over 7e7 entries at once, 1e-2 is lost.
_SLICE = 1024


def square_sum(tensor: Tensor) -> Tensor:
    """Sum of all squared entries, as a 0-d tensor; makes no tensor as large as its input.

    Parameters
    ----------
    tensor : Tensor of any shape
        Differentiable.
    """
    # Within the forward pass of others there is nothing to record.
    return _apply(tensor) if torch.is_grad_enabled() else _over_slices(tensor)


def _over_slices(tensor: Tensor) -> Tensor:
    """Sum of the squares of slices, each added up on its own."""
    flat, norm = tensor.reshape(-1), torch.linalg.vector_norm
    n_rest = flat.numel() % _SLICE
    sliced, rest = flat[: flat.numel() - n_rest], flat[flat.numel() - n_rest :]
    total: Tensor = norm(sliced.view(-1, _SLICE), dim=1).square().sum()
    return total + norm(rest).square() if n_rest else total


class _SquareSum(Function):
    """The gradient, twice the entries, knows nothing of slices."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        ctx.save_for_backward(tensor)
        return _over_slices(tensor)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (tensor,) = ctx.saved_tensors
        return torch.mul(tensor, 2 * gradient)


_apply: Callable[..., Tensor] = _SquareSum.apply
