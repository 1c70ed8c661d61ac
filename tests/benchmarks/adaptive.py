"""Adaptive L1 weights for the dense reference, by our rule or as the authors published it."""

import torch
from torch import Tensor

__all__ = ["AdaptiveWeights"]


class AdaptiveWeights:
    r"""Weights 1 + f(t) (clip((R / a)^gamma, 0.1, 10) - 1), moved by each batch.

    rule="paper" (arXiv 2605.05341, authors' code): a is the moving average of the mean code, from
    1 and without correction; R the mean of its largest hundredth.

    rule="ours" (defaults of AdaptiveElasticNetSAE): averages are corrected for their start at 0;
    a is the mean over active rows; R the median of the components that have fired; the weights
    are divided by their mean over the penalty's mass.

    Parameters
    ----------
    n_components : int
        Number of components.
    rule : {"ours", "paper"}
        See above.
    start, ramp : int
        f is 0 for `start` steps and then rises to 1 over `ramp`; 1 at once for start=0.
    gamma, beta : float
        Exponent, and decay of the moving averages.
    """

    def __init__(
        self,
        n_components: int,
        rule: str,
        start: int,
        ramp: int,
        gamma: float = 0.5,
        beta: float = 0.999,
    ) -> None:
        self.rule, self.start, self.ramp = rule, start, ramp
        self.gamma, self.beta = gamma, beta
        first = 1.0 if rule == "paper" else 0.0
        self.mean = torch.full((n_components,), first)
        self.frequency = torch.full((n_components,), first)
        self.step = 0

    def update(self, codes: Tensor) -> Tensor:
        """Take in a batch of dense codes and return the weights."""
        self.step += 1
        self.mean = self.beta * self.mean + (1 - self.beta) * codes.mean(0)
        if self.rule == "paper":
            weights = self._paper()
        else:
            fired = (codes > 0).float().mean(0)
            self.frequency = self.beta * self.frequency + (1 - self.beta) * fired
            weights = self._ours()
        return 1 + self._fade() * (weights - 1)

    def _paper(self) -> Tensor:
        activity = self.mean.clamp(min=1e-5)
        reference = activity.topk(max(1, len(activity) // 100)).values.mean()
        return (reference / activity).pow(self.gamma).clamp(0.1, 10.0)

    def _ours(self) -> Tensor:
        correction = 1 - self.beta**self.step
        fired = self.frequency / correction > 1e-9
        activity = (self.mean / self.frequency.clamp(min=1e-30)).clamp(min=1e-5)
        reference = activity[fired].median() if fired.any() else torch.ones(())
        ratio = torch.where(fired, reference / activity, 1.0)
        weights = ratio.pow(self.gamma).clamp(0.1, 10.0)
        mass = self.mean @ weights
        return weights * self.mean.sum() / mass if mass > 0 else weights

    def _fade(self) -> float:
        if self.start == 0:
            return 1.0
        return min(1.0, max(0.0, (self.step - self.start) / max(1, self.ramp)))
