"""Squared errors of nested reconstructions in memory of their own, with one residual per level."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from sklearn_aensae.kernels.square_sum import square_sum
from sklearn_aensae.kernels.workspace import current_workspace

__all__ = ["nested_squared_error"]


def nested_squared_error(
    groups: Tensor, bias: Tensor, x: Tensor, level_weights: Sequence[float], *, detached: bool
) -> Tensor:
    r"""Weighted sum over levels of the mean squared error of the first groups, as a 0-d tensor.

    .. math:: \sum_l w_l \, \frac{1}{Bn} \lVert g_1 + \dots + g_l + b - x \rVert^2

    Parameters
    ----------
    groups : Tensor of shape (n_levels, batch, n_features)
        :math:`g_l`, what each group of components adds. Differentiable.
    bias : Tensor of shape (n_features,)
        b. Differentiable.
    x : Tensor of shape (batch, n_features)
        Target; no gradient.
    level_weights : sequence of float, of length n_levels
        :math:`w_l`.
    detached : bool
        Whether each level has a gradient for its own group only, and for the bias.
    """
    return _apply(groups, bias, x, level_weights, detached)


class _NestedSquaredError(Function):
    """Sums over groups run along the levels, forward, and back with the gradients."""

    @staticmethod
    def forward(
        ctx: Any,
        groups: Tensor,
        bias: Tensor,
        x: Tensor,
        level_weights: Sequence[float],
        detached: bool,
    ) -> Tensor:
        workspace = current_workspace()
        residuals = workspace.take("nested_residuals", tuple(groups.shape), groups)
        torch.add(groups[0], bias, out=residuals[0]).sub_(x)
        for level in range(1, len(groups)):
            torch.add(residuals[level - 1], groups[level], out=residuals[level])
        ctx.save_for_backward(residuals)
        ctx.level_weights, ctx.detached, ctx.workspace = level_weights, detached, workspace
        error = groups.new_zeros(())
        for weight, residual in zip(level_weights, residuals, strict=True):
            error += weight * (square_sum(residual) / x.numel())
        return error

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (residuals,) = ctx.saved_tensors
        out = ctx.workspace.take("nested_gradient", tuple(residuals.shape), residuals)
        for weight, residual, level in zip(ctx.level_weights, residuals, out, strict=True):
            torch.mul(residual, gradient * (2 * weight / residual.numel()), out=level)
        if ctx.detached:
            return out, out.sum(0).sum(0), None, None, None
        for level in range(len(out) - 2, -1, -1):
            out[level] += out[level + 1]
        return out, out[0].sum(0), None, None, None


_apply: Callable[..., Tensor] = _NestedSquaredError.apply
