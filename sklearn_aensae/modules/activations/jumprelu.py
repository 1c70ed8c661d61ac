"""JumpReLU: a pre-code is active where it exceeds the learned threshold of its component."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from sklearn_aensae.modules.activations.elementwise import Elementwise, entries_of

__all__ = ["JumpReLU"]


class JumpReLU(Elementwise):
    r"""Pre-codes p above thresholds t, and 0 elsewhere; :math:`f = p\,H(p - t)`, :math:`t > 0`.

    The step H has no gradient. In its place stands that of a slope of width :math:`\epsilon`
    around the threshold (a straight-through estimator with a rectangular kernel K):

    .. math::
        \frac{\partial H}{\partial t} = -\frac{1}{\epsilon} K\Big(\frac{p - t}{\epsilon}\Big),
        \qquad
        \frac{\partial f}{\partial t} = -\frac{t}{\epsilon} K\Big(\frac{p - t}{\epsilon}\Big),
        \qquad K(u) = 1 \text{ for } |u| < 1/2, \text{ else } 0

    The logarithm of the thresholds is trained, so t once more is a factor of its gradient.

    Parameters
    ----------
    n_components : int
        Number of components.
    bandwidth : float
        :math:`\epsilon`, in the units of pre-codes.
    initial_threshold : float
        Threshold of each component at the start, positive.
    ste_to_input : bool
        Whether the estimator acts on pre-codes as well, with the opposite sign.

    References
    ----------
    :arxiv:`Rajamanoharan et al. (2024). Jumping ahead <2407.14435>`, sections 3 and 4.
    """

    def __init__(
        self, n_components: int, bandwidth: float, initial_threshold: float, ste_to_input: bool
    ) -> None:
        super().__init__()
        self.bandwidth = bandwidth
        self.ste_to_input = ste_to_input
        self.log_threshold = nn.Parameter(torch.full((n_components,), math.log(initial_threshold)))

    @property
    def threshold(self) -> Tensor:
        """Thresholds in the units of pre-codes, shape (n_components,)."""
        return self.log_threshold.exp()

    def bound(self) -> Tensor:
        """Lower edges of the windows: below, there is neither a code nor a gradient."""
        return self.threshold.detach() - self.bandwidth / 2

    def activate(self, values: Tensor, columns: Tensor | slice, bias: Tensor) -> Tensor:
        """Pre-codes that exceed their threshold."""
        threshold = entries_of(self.threshold, columns)
        return _jump(values, threshold, self.bandwidth, self.ste_to_input)

    def gate(self, values: Tensor, columns: Tensor | slice, bias: Tensor) -> Tensor:
        """1 for pre-codes that exceed their threshold, else 0."""
        threshold = entries_of(self.threshold, columns)
        return _step(values, threshold, self.bandwidth, self.ste_to_input)

    @torch.no_grad()
    def rescale_(self, factors: Tensor) -> bool:
        """Let thresholds grow alike."""
        self.log_threshold.add_(factors.log())
        return True

    def extra_repr(self) -> str:
        """Show the bandwidth in the module's repr."""
        return f"bandwidth={self.bandwidth}, ste_to_input={self.ste_to_input}"


class _Step(Function):
    """H(p - t), with the gradient of a slope in the place of the step's."""

    @staticmethod
    def forward(
        ctx: Any, pre_codes: Tensor, threshold: Tensor, bandwidth: float, to_input: bool
    ) -> Tensor:
        ctx.save_for_backward(pre_codes, threshold)
        ctx.bandwidth, ctx.to_input = bandwidth, to_input
        return (pre_codes > threshold).to(pre_codes.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        pre_codes, threshold = ctx.saved_tensors
        slope = _on_the_slope(pre_codes, threshold, ctx.bandwidth) * gradient / ctx.bandwidth
        return slope if ctx.to_input else None, -slope.sum_to_size(threshold.shape), None, None


class _Jump(Function):
    """p H(p - t): the step is as high as the threshold, and what lies above it passes."""

    @staticmethod
    def forward(
        ctx: Any, pre_codes: Tensor, threshold: Tensor, bandwidth: float, to_input: bool
    ) -> Tensor:
        ctx.save_for_backward(pre_codes, threshold)
        ctx.bandwidth, ctx.to_input = bandwidth, to_input
        return torch.where(pre_codes > threshold, pre_codes, 0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        pre_codes, threshold = ctx.saved_tensors
        slope = _on_the_slope(pre_codes, threshold, ctx.bandwidth) * gradient
        slope *= threshold / ctx.bandwidth
        for_pre_codes = torch.where(pre_codes > threshold, gradient, 0)
        if ctx.to_input:
            for_pre_codes += slope
        return for_pre_codes, -slope.sum_to_size(threshold.shape), None, None


def _on_the_slope(pre_codes: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
    """Whether pre-codes are in the window around their threshold; its lower edge is `bound`."""
    half = bandwidth / 2
    return (pre_codes > threshold - half) & (pre_codes < threshold + half)


_step: Callable[..., Tensor] = _Step.apply
_jump: Callable[..., Tensor] = _Jump.apply
