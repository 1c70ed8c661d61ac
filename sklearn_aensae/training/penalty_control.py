"""Drives the strength of a penalty in training to where codes have a wanted L0."""

import math
from typing import Any

import torch
from skorch.callbacks import Callback
from torch import Tensor, nn

from sklearn_aensae.training.schedules import warm_up_share

__all__ = ["L0Control", "PenaltyControl"]

RESET = 0.05
"""Share of training in which an error that stays moves the logarithm of the strength by itself."""

FASTEST = 15.0
"""Steps that this takes at least: the optimiser's own memory is about ten."""

GAINS = (3.0, 0.2)
"""Answer to a change of the error, as training begins and once things have settled."""

SETTLED = 0.3
"""Share of training over which the gain falls from the first to the second."""

SLOWEST = 0.1
"""Share of the base learning rate below which the strength is driven no harder."""

LARGEST = 2.0
"""Errors count up to this: far from the target the strength moves at a steady pace."""

SMALLEST_L0 = 0.1
"""Share of the target below which L0 counts as that: its logarithm has no lower bound."""


class L0Control(nn.Module):
    r"""Strength of a penalty as a proportional-integral controller of L0, in logarithms.

    .. math::
        e_t = e_{t-1} + s_t \big(\log (L_0 / L_0^*) - e_{t-1}\big), \qquad
        \log \lambda_{t+1} = \log \lambda_t
        + \frac{g_t}{s_t} (e_t - e_{t-1}) + \frac{e_t}{\max(0.05\, s_t T, 15)}

    with :math:`s_t` the learning rate as a share of its base, at least 0.1, once things have
    settled: while it falls, L0 drifts upwards and answers the strength ever more slowly, so
    that this has to change by as much more, and L0 is averaged over as many more steps. Before,
    :math:`s_t` is 1, and an error is that of one batch: an average would add to the delay. The
    gain :math:`g_t` is large at first, so that a fall of L0 stops a strength far too large
    before components have died of it. Later on it is small: where codes hardly rise above
    noise, L0 changes by several times as much as the strength, some ten steps after it, and a
    larger gain makes both oscillate. While the penalty warms up, errors above 0 are not summed:
    codes are dense then whatever the strength.

    The constants of this file were chosen by trials on synthetic data and on activations of the
    bundled model, 600 to 4,000 steps long. State is kept in buffers; nothing is read from the
    device.

    Parameters
    ----------
    strength : float
        Positive strength to start from.
    target : float
        :math:`L_0^*`, mean number of active components of a row.
    n_steps : int
        Length of training.
    """

    log_factor: Tensor
    log_coding: Tensor
    error: Tensor

    def __init__(self, strength: float, target: float, n_steps: int) -> None:
        super().__init__()
        self.first_strength, self.target = strength, target
        self.reset = RESET * n_steps
        self.settled = max(1.0, SETTLED * n_steps)
        self.register_buffer("log_factor", torch.zeros((), dtype=torch.float64))
        # From the strength of training to that at which codes that are solved for meet the target.
        self.register_buffer("log_coding", torch.zeros((), dtype=torch.float64))
        self.solved_ratio: float | None = None
        # NaN until there is a first batch.
        self.register_buffer("error", torch.full((), torch.nan, dtype=torch.float64))

    def strength(self) -> Tensor:
        """Present strength, as a 0-d tensor."""
        return self.first_strength * self.log_factor.exp()

    def coding_strength(self) -> Tensor:
        """Strength by which codes are solved for."""
        return self.strength() * self.log_coding.exp()

    def ratio(self) -> float:
        """L0 as a share of the target: of the encoder in training, or of codes solved since."""
        if self.solved_ratio is not None:
            return self.solved_ratio
        return math.exp(float(self.error))

    @torch.no_grad()
    def update_(self, l0: Tensor, step: int, speed: float, is_rising: bool) -> None:
        """Take in a batch and move the strength.

        Parameters
        ----------
        l0 : Tensor of shape ()
            Mean number of active components of the batch's rows.
        step : int
            Number of the step, from 0.
        speed : float
            Learning rate as a share of its base.
        is_rising : bool
            Whether the penalty still warms up.
        """
        ratio = l0.to(self.error) / self.target
        found = ratio.clamp(min=SMALLEST_L0).log()
        before = torch.where(self.error.isnan(), found, self.error)
        answer = 1.0 if step < self.settled else max(speed, SLOWEST)
        error = torch.lerp(before, found, answer)
        first, last = GAINS
        gain = last + (first - last) * max(0.0, 1 - step / self.settled)
        summed = error.clamp(-LARGEST, 0.0 if is_rising else LARGEST)
        self.log_factor += gain / answer * (error - before)
        self.log_factor += summed / max(FASTEST, answer * self.reset)
        self.error.copy_(error)

    def report(self) -> dict[str, float]:
        """Return what the log shows of it; reads the device."""
        return {"lambda_1": float(self.strength())}


class PenaltyControl(Callback):
    """Sets the weight of a term by the objective's `control`, and keeps that informed.

    Comes after the warm-up of penalties, whose part it takes over for this term.

    Parameters
    ----------
    name : str
        Name of the term.
    warm_up : int
        Steps over which the penalty rises from 0.
    learning_rate : float
        Base of the learning rate.
    """

    def __init__(self, name: str, warm_up: int, learning_rate: float) -> None:
        self.name = name
        self.warm_up = warm_up
        self.learning_rate = learning_rate

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Forget how codes were solved for before: that was for the atoms of then."""
        net.criterion_.control.solved_ratio = None
        net.criterion_.control.log_coding.zero_()

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Set the weight for the coming step."""
        if training:
            share = warm_up_share(net.n_steps_, self.warm_up)
            objective = net.criterion_
            objective.terms[self.name].weight.copy_(share * objective.control.strength())

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Take in the L0 of a step."""
        if training:
            # The net has counted the step already.
            step = net.n_steps_ - 1
            speed = net.optimizer_.param_groups[0]["lr"] / self.learning_rate
            l0 = kwargs["y_pred"].codes.l0()
            net.criterion_.control.update_(l0, step, speed, is_rising=step < self.warm_up)
