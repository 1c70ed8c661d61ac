"""Mean squared error in memory of its own: the one pass over (batch, n_features) that costs."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from sklearn_aensae.kernels.square_sum import square_sum
from sklearn_aensae.kernels.workspace import current_workspace

__all__ = ["mean_squared_error"]


def mean_squared_error(reconstruction: Tensor, x: Tensor) -> Tensor:
    """Mean of (reconstruction - x)^2, as a 0-d tensor.

    Parameters
    ----------
    reconstruction : Tensor of shape (batch, n_features)
        Differentiable.
    x : Tensor of shape (batch, n_features)
        Target; no gradient.
    """
    return _apply(reconstruction, x)


class _MeanSquaredError(Function):
    """Residual and gradient share nothing with autograd's own temporaries."""

    @staticmethod
    def forward(ctx: Any, reconstruction: Tensor, x: Tensor) -> Tensor:
        workspace = current_workspace()
        residual = workspace.take("residual", tuple(x.shape), x)
        torch.sub(reconstruction, x, out=residual)
        ctx.save_for_backward(residual)
        ctx.workspace = workspace
        return square_sum(residual) / residual.numel()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (residual,) = ctx.saved_tensors
        out = ctx.workspace.take("residual_gradient", tuple(residual.shape), residual)
        return torch.mul(residual, gradient * (2 / residual.numel()), out=out), None


_apply: Callable[..., Tensor] = _MeanSquaredError.apply
