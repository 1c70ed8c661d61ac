"""Lp penalty whose exponent falls in training, from L1 towards L0."""

from typing import Any

import torch
from torch import Tensor

from sklearn_aensae.modules import Autoencoder, SAEOutput
from sklearn_aensae.objective.base import Term

__all__ = ["AnnealedLp"]

MEMORY = 0.9
"""Decay per step of the means behind the factor: about the last ten batches (authors' code)."""


class AnnealedLp(Term):
    r"""Sum of :math:`(h + \epsilon)^p - \epsilon^p` over components, mean over the batch.

    p falls from 1 to `p_end` in `n_updates` equal steps. With each, the term gets another factor,
    the quotient of its means before and after over the last batches, so that its value stays
    continuous.

    The gradient of :math:`h^p` has no bound at 0, and its curvature drives small codes apart: two
    trainings whose weights differ by 1e-15 drift apart exponentially, the faster the smaller
    :math:`\epsilon`.

    Parameters
    ----------
    weight : float
        Factor at p = 1.
    p_end : float
        Last exponent, in (0, 1].
    n_updates : int
        Number of changes of p; at most one per training step.
    epsilon : float
        :math:`\epsilon`, positive, in the units of training.
    start, end : int
        Steps, counted from 0: p is 1 up to `start`, and `p_end` from `end` on.

    Attributes
    ----------
    p : float
        Present exponent.
    scale : Tensor of shape ()
        Present factor besides the weight.

    References
    ----------
    :arxiv:`Karvonen et al. (2024). Measuring progress in dictionary learning for language model
    interpretability with board game models <2408.00113>`.
    """

    scale: Tensor
    means: Tensor

    def __init__(
        self, weight: float, p_end: float, n_updates: int, *, epsilon: float, start: int, end: int
    ) -> None:
        super().__init__(weight)
        self.p_end, self.n_updates = p_end, n_updates
        self.epsilon = epsilon
        self.start, self.end = start, end
        self.n_calls = self.level = 0
        self.register_buffer("scale", torch.ones((), dtype=torch.float64))
        # Of the penalty with the present exponent, and with the next.
        self.register_buffer("means", torch.zeros(2, dtype=torch.float64))

    def forward(self, x: Tensor, output: SAEOutput, module: Autoencoder) -> Tensor:
        """Mean sum of powers; in training mode p moves first, if it is time."""
        if self.training:
            self._update(output)
        return self.scale * self._power_sum(output.codes.values, self.p) / output.codes.n_rows

    @property
    def p(self) -> float:
        """Present exponent."""
        return self._exponent(self.level)

    def _exponent(self, level: int) -> float:
        """Exponent after so many changes."""
        return 1 - (1 - self.p_end) * min(level, self.n_updates) / self.n_updates

    def _due(self) -> int:
        """Count the changes of p up to the present step."""
        if self.n_calls >= self.end:
            return self.n_updates
        n_steps = max(0, self.n_calls - self.start)
        return self.n_updates * n_steps // max(1, self.end - self.start)

    @torch.no_grad()
    def _update(self, output: SAEOutput) -> None:
        """Change p by one level, if it is time, and take the batch into the means."""
        if self._due() > self.level:
            before, after = self.means
            # While nothing fires there is no penalty to keep.
            self.scale.mul_(torch.where(after > 0, before / after, 1.0))
            self.means.zero_()
            self.level += 1
        self.n_calls += 1
        values, n_rows = output.codes.values, output.codes.n_rows
        exponents = [self._exponent(level) for level in (self.level, self.level + 1)]
        sums = torch.stack([self._power_sum(values, p) for p in exponents])
        # Both start from 0, so that their quotient needs no correction.
        self.means.lerp_(sums / n_rows, 1 - MEMORY)

    def _power_sum(self, values: Tensor, p: float) -> Tensor:
        """Sum of smoothed powers of codes, as a 0-d tensor."""
        # A difference of powers would leave rounding errors of codes that are 0.
        growth = torch.expm1(p * torch.log1p(values / self.epsilon))
        total: Tensor = self.epsilon**p * growth.sum()
        return total

    def get_extra_state(self) -> dict[str, Any]:
        """Return what lives outside the buffers, for the state dict."""
        return {"n_calls": self.n_calls, "level": self.level}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore what lives outside the buffers."""
        self.n_calls, self.level = state["n_calls"], state["level"]
