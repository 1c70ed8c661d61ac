"""What happens around each step: learning rate and penalty warm-up."""

from typing import Any

from skorch.callbacks import Callback

__all__ = ["LearningRateSchedule", "PenaltyWarmUp", "warm_up_share"]


def warm_up_share(step: int, n_steps: int) -> float:
    """Share of its strength that a penalty has in step `step`, counted from 0."""
    return min(1.0, (step + 1) / (n_steps + 1))


class LearningRateSchedule(Callback):
    """Linear warm-up from 0 and linear decay to 0 of every parameter group's learning rate.

    Parameters
    ----------
    base : float
        Learning rate in between.
    warm_up, decay : int
        Steps of each phase; a decay needs a known end.
    n_steps : int or None
        Step at which training ends. What `partial_fit` does after that has the base rate.
    """

    def __init__(self, base: float, warm_up: int, decay: int, n_steps: int | None) -> None:
        self.base = base
        self.warm_up = warm_up
        self.decay = decay
        self.n_steps = n_steps

    def factor(self, step: int) -> float:
        """Share of the base learning rate in step `step`, counted from 0."""
        rise = min(1.0, (step + 1) / (self.warm_up + 1))
        if self.n_steps is None or self.decay == 0 or step >= self.n_steps:
            return rise
        fall = (self.n_steps - step) / (self.decay + 1)
        return min(rise, max(0.0, min(1.0, fall)))

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Set the learning rate of the coming step."""
        if training:
            for group in net.optimizer_.param_groups:
                group["lr"] = self.base * self.factor(net.n_steps_)


class PenaltyWarmUp(Callback):
    """Raises the weights of all terms but reconstruction errors linearly from 0.

    Parameters
    ----------
    n_steps : int
        Length of the rise.
    """

    def __init__(self, n_steps: int) -> None:
        self.n_steps = n_steps

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Set the weights for the coming step."""
        if training and net.n_steps_ <= self.n_steps:
            share = warm_up_share(net.n_steps_, self.n_steps)
            for name, term in net.criterion_.terms.items():
                if name != "reconstruction" and term.is_penalty:
                    term.weight.fill_(share * term.final_weight)
