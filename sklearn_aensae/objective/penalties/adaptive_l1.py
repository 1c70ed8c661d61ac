"""Adaptive L1 penalty: each component's weight follows how strongly it has been active."""

import math

import torch
from torch import Tensor

from sklearn_aensae.kernels import Codes
from sklearn_aensae.modules import Autoencoder, SAEOutput
from sklearn_aensae.objective.base import Term

__all__ = ["CAPS", "REFERENCES", "STATISTICS", "AdaptiveL1"]

STATISTICS = ("mean", "active_mean")
REFERENCES = ("top", "median")
CAPS = ("hard", "soft")
FLOOR = 1e-5
"""Least activity, so that no weight is infinite before it is clipped (authors' code)."""

SILENT = 1e-9
"""Firing rate below which a moving average says nothing about how strongly."""


class AdaptiveL1(Term):
    r"""Weighted sum of the codes over components, mean over the batch.

    Weights are recomputed in every training step, with no gradient through them:

    .. math::
        a_j &= \mathrm{EMA}_\beta(\text{activity of component } j), \qquad
        w_j = \mathrm{cap}\big((R / a_j)^\gamma\big) \\
        \tilde w_j &= 1 + f(t)\,(w_j - 1)

    with :math:`f(t) = 0` for `start` steps, then rising linearly to 1 over `ramp` steps, and
    :math:`R` a reference activity. With `normalize`, :math:`w` is divided by its mean over
    the penalty mass, :math:`\sum_j m_j w_j / \sum_j m_j` (:math:`m_j` the mean code), so that
    lambda_1 keeps its meaning whatever the weights.

    The hard cap clips to :math:`[w_{min}, w_{max}]`. The soft one bends logarithms,

    .. math:: \mathrm{cap}(w) = \exp\big(b \tanh(\log(w) / b)\big), \qquad
        b = \log w_{max} \text{ for } w \ge 1, \text{ else } \log w_{min}

    so that it is smooth and increasing, leaves weights near 1 as they are and a neutral one at 1,
    and keeps the order of all others, which only come near the bounds.

    Parameters
    ----------
    n_components : int
        Number of components.
    weight : float
        lambda_1.
    gamma : float
        Exponent; 0 gives the plain L1 penalty.
    beta : float
        Decay of the moving averages, in steps.
    ema_correction : bool
        Start the averages at 0 and divide by :math:`1 - \beta^t`; False starts them at 1
        without correction, as the authors' code does.
    statistic : {"active_mean", "mean"}
        Activity: mean code over the rows where the component is active, or over all rows.
    reference : {"median", "top"} or float
        R: median activity of the components that have fired, mean of the largest `top_share` of
        all activities, or a quantile, in [0, 1], of those that have fired. (Of an even number of
        activities "median" is the lower middle one, and 0.5 the mean of both.)
    top_share : float
        Share of components behind the reference "top".
    weight_min, weight_max : float
        Bounds of the weights. A soft cap needs 1 between them.
    cap : {"hard", "soft"}, default="hard"
        How weights are kept within the bounds.
    normalize : bool
        Whether to normalise the weights.
    start, ramp : int
        Steps with plain weights, and steps over which the adaptive ones fade in. A start of 0
        means fully adaptive weights at once, without a ramp, as in the authors' code.

    References
    ----------
    :arxiv:`Feature Starvation as Geometric Instability in Sparse Autoencoders <2605.05341>`
    and its authors' code; Zou (2006), The adaptive lasso and its oracle properties.
    """

    step: Tensor
    activity: Tensor
    frequency: Tensor
    weights: Tensor
    pinned: Tensor

    def __init__(
        self,
        n_components: int,
        weight: float,
        *,
        gamma: float,
        beta: float,
        ema_correction: bool,
        statistic: str,
        reference: str | float,
        top_share: float,
        weight_min: float,
        weight_max: float,
        normalize: bool,
        start: int,
        ramp: int,
        cap: str = "hard",
    ) -> None:
        super().__init__(weight)
        self.gamma, self.beta = gamma, beta
        self.ema_correction = ema_correction
        self.statistic, self.reference = statistic, reference
        self.n_top = max(1, int(top_share * n_components))
        self.weight_min, self.weight_max = weight_min, weight_max
        self.cap = cap
        self.normalize = normalize
        self.start, self.ramp = start, ramp
        initial = 0.0 if ema_correction else 1.0
        self.register_buffer("step", torch.zeros(()))
        self.register_buffer("activity", torch.full((n_components,), initial))
        self.register_buffer("frequency", torch.full((n_components,), initial))
        self.register_buffer("weights", torch.ones(n_components))
        self.register_buffer("pinned", torch.zeros(n_components))

    def forward(self, x: Tensor, output: SAEOutput, module: Autoencoder) -> Tensor:
        """Mean weighted L1 norm of the codes; in training mode the weights move first."""
        if self.training:
            self._update(output.codes)
        # The sums over rows are those that the moving averages have just taken in.
        return output.codes.component_sums @ self.weights / output.codes.n_rows

    def _update(self, codes: Codes) -> None:
        """Take one batch into the moving averages and recompute the weights."""
        self.step.add_(1)
        mean = codes.component_sums.detach() / codes.n_rows
        self.activity.lerp_(mean, 1 - self.beta)
        self.frequency.lerp_(codes.firing_counts.to(mean) / codes.n_rows, 1 - self.beta)
        # 1 - beta^t, without cancellation for a beta that is all but 1.
        decay = math.log(self.beta) if self.beta > 0 else -math.inf
        correction = -torch.expm1(self.step * decay) if self.ema_correction else 1.0
        weights = self._raw_weights(correction)
        self.pinned.copy_((weights <= self.weight_min) | (weights >= self.weight_max))
        weights = self._capped(weights)
        if self.normalize:
            total, weighted = self.activity.sum(), self.activity @ weights
            # Before anything has fired there is no penalty to keep.
            weights = weights * torch.where(weighted > 0, total / weighted, 1.0)
        self.weights.copy_(1 + self._fade() * (weights - 1))

    def pinned_share(self) -> Tensor:
        """Share of components whose weight, before cap and normalisation, reaches a bound."""
        return self.pinned.mean()

    def _raw_weights(self, correction: Tensor | float) -> Tensor:
        """(R / activity)^gamma."""
        activity, frequency = self.activity / correction, self.frequency / correction
        # Uncorrected averages start as if all had fired: the published rule has no silence.
        known = (frequency > SILENT) | (not self.ema_correction)
        if self.statistic == "active_mean":
            activity = activity / frequency.clamp(min=SILENT)
        activity = activity.clamp(min=FLOOR)
        reference = self._reference(activity, known)
        # A component that has not fired, or not for ever so long, has no activity to judge it
        # by: it stays neutral.
        ratio = torch.where(known, reference / activity, 1.0)
        return ratio.pow(self.gamma)

    def _reference(self, activity: Tensor, known: Tensor) -> Tensor:
        """R, as a 0-d tensor; NaN if no activity is known."""
        if self.reference == "top":
            return activity.topk(self.n_top).values.mean()
        fired = activity.masked_fill(~known, torch.nan)
        if self.reference == "median":
            return fired.nanmedian()
        return fired.nanquantile(float(self.reference))

    def _capped(self, weights: Tensor) -> Tensor:
        """Weights within the bounds."""
        if self.cap == "hard":
            return weights.clamp(self.weight_min, self.weight_max)
        logs = weights.log()
        low, high = (
            b * (logs / b).tanh() for b in map(math.log, (self.weight_min, self.weight_max))
        )
        return torch.where(logs < 0, low, high).exp()

    def _fade(self) -> Tensor:
        """f(t): 0 until `start`, then a linear ramp to 1."""
        if self.start <= 0:
            return torch.ones_like(self.step)
        return ((self.step - self.start) / max(self.ramp, 1)).clamp(0, 1)
