"""What Matryoshka estimators share: nested dictionaries, each with its own error."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Annotated, Any

import numpy as np

from sklearn_aensae.estimators._base import BaseSAE
from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.objective import Term
from sklearn_aensae.objective.reconstruction import Nested
from sklearn_aensae.params import AtLeast, Boolean, Where

__all__ = ["NestedSAE", "level_bounds"]

SHARES = (1 / 32, 3 / 32, 7 / 32, 15 / 32)
"""Widths by default: groups of 1/32, 1/16, 1/8 and 1/4 of the components, and the rest."""


def _is_width(value: Any) -> bool:
    if isinstance(value, Integral):
        return int(value) >= 1 and not isinstance(value, bool)
    return isinstance(value, Real) and 0 < float(value) <= 1


def _is_weight(value: Any) -> bool:
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return is_number and 0 <= float(value) < float("inf")


WIDTHS = Where(
    "None or a list of counts (ints >= 1) or shares (floats in (0, 1])",
    lambda value: value is None or (isinstance(value, list | tuple) and all(map(_is_width, value))),
)
LEVEL_WEIGHTS = Where(
    "None or a list of numbers >= 0, of which the last is not 0",
    lambda value: (
        value is None
        or (isinstance(value, list | tuple) and all(map(_is_weight, value)) and any(value[-1:]))
    ),
)


def level_bounds(widths: Sequence[float] | None, n_components: int) -> list[int]:
    """Return the widths as counts, ascending, the last of them `n_components`.

    Shares that come to the same count are one level, so that few components have few levels.
    """
    shares = SHARES if widths is None else widths
    bounds = [
        int(width) if isinstance(width, Integral) else max(1, round(width * n_components))
        for width in shares
    ]
    if bounds != sorted(bounds) or max(bounds, default=1) > n_components:
        raise ValueError(
            f"widths must ascend and be at most n_components={n_components}; got {widths!r}, "
            f"that is {bounds} components."
        )
    return sorted({*bounds, n_components})


@dataclass(eq=False, repr=False, kw_only=True)
class NestedSAE(BaseSAE):
    """Puts nested errors in the place of the error of the class after it among the bases."""

    widths: Annotated[Sequence[int | float] | None, WIDTHS] = None
    beta: Annotated[float, AtLeast(0, real=True)] = 1.0
    level_weights: Annotated[Sequence[float] | None, LEVEL_WEIGHTS] = None
    detached: Annotated[bool, Boolean()] = False

    def _levels(self, plan: Plan) -> tuple[list[int], list[float]]:
        """Widths and weights of the levels."""
        bounds = level_bounds(self.widths, plan.n_components)
        if self.level_weights is None:
            return bounds, [float(self.beta) ** n for n in reversed(range(len(bounds)))]
        if len(self.level_weights) != len(bounds):
            raise ValueError(
                f"level_weights needs one weight for each of the {len(bounds)} levels, of "
                f"{bounds} components; got {self.level_weights!r}."
            )
        return bounds, [float(weight) for weight in self.level_weights]

    def _make_reconstruction(self, plan: Plan) -> Term:
        weight = super()._make_reconstruction(plan).final_weight
        return Nested(*self._levels(plan), weight, self.detached)

    def _write_fitted(self) -> None:
        super()._write_fitted()
        term = self.net_.criterion_.terms["reconstruction"]
        self.widths_ = np.array(term.bounds)
        self.level_weights_ = np.array(term.level_weights)
