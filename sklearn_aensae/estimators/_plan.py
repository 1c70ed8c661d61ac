"""How large the problem is and how long training takes."""

import math
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING

from sklearn_aensae.sources import Source

if TYPE_CHECKING:
    from sklearn_aensae.estimators._base import BaseSAE

__all__ = ["OPEN_END", "Plan", "check_target", "count_components", "plan_length"]

OPEN_END = 1_000
"""Steps to which shares of training refer when nobody knows how long training will be."""


@dataclass(frozen=True)
class Plan:
    """Sizes of the problem and length of training, as the hooks of a variant see them.

    Parameters
    ----------
    n_features, n_components : int
        Sizes of input and code.
    n_samples : int
        Training rows per epoch, or of the first call of `partial_fit`; of a stream, in 1,000
        batches or in all if there will be fewer.
    n_steps : int or None
        Planned optimiser steps; None if training has an open end.
    variance : float
        Mean squared deviation of what is to be reconstructed, scaled, from its mean, over rows and
        features.
    n_targets : int, default=0
        Size of the targets, if those are to be reconstructed and not the input.
    """

    n_features: int
    n_components: int
    n_samples: int
    n_steps: int | None
    variance: float
    n_targets: int = 0

    @property
    def n_outputs(self) -> int:
        """Size of what is to be reconstructed."""
        return self.n_targets or self.n_features

    def steps(self, length: float) -> int:
        """Return a phase in steps: an int as it is, a float as a share of training."""
        if isinstance(length, Integral):
            return int(length)
        return round(length * (OPEN_END if self.n_steps is None else self.n_steps))


def plan_length(estimator: "BaseSAE", source: Source) -> tuple[int, int]:
    """Optimiser steps of a `fit`, and the epochs they take; all passes over a stream are one."""
    max_steps: int | None = estimator.max_steps
    if source.n_samples is not None:
        steps_per_epoch = math.ceil(source.n_samples / estimator.batch_size)
        n_steps = max_steps or estimator.max_epochs * steps_per_epoch
        return n_steps, math.ceil(n_steps / steps_per_epoch)
    if max_steps is None:
        raise ValueError(
            "X is a stream of unknown length, so fit needs max_steps for its schedules; "
            "partial_fit takes one pass over a stream without it."
        )
    return max_steps, 1


MOST_COMPONENTS = 2**31 - 1
"""Active codes are stored with 32-bit indices."""


def count_components(estimator: "BaseSAE", n_features: int) -> int:
    """Return the number of components, from a count or an expansion factor."""
    size = estimator.n_components
    count = size if isinstance(size, Integral) else round(size * n_features)
    if count < 1:
        raise ValueError(
            f"n_components={size} times {n_features} features is less than one component; use a "
            "larger factor, or an int for an absolute number."
        )
    if count > MOST_COMPONENTS:
        raise ValueError(
            f"n_components={size} is {count} components for {n_features} features; at most "
            f"{MOST_COMPONENTS} are possible."
        )
    return int(count)


def check_target(target_l0: float, plan: Plan) -> None:
    """Refuse a number of active components that there are not, or that is all of them."""
    if target_l0 >= plan.n_components:
        raise ValueError(
            f"target_l0 must be less than the {plan.n_components} components; got {target_l0}."
        )
