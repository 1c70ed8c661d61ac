"""The data sets: the paper's at three rho, and two layers of the packaged language model."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from examples.spiked.cases import SIZES, Array, Case, held_out, training_rows
from examples.which_sae.problems import Budget, Problem, language_model

SPIKED_BUDGET = Budget(100_000, 16_000, 0, 0, steps=4_000, batch_size=256)
LM_BUDGET = Budget(0, 16_000, 850_000, 35, steps=1_000, batch_size=256)
TINY_BUDGET = Budget(6_000, 1_000, 4_000, 2, steps=500, batch_size=128)

RHO = (0.0, 0.5, 0.9)
LAYERS = {1: "middle", 3: "last"}
WIDTHS = (8, 32)
L0 = (8, 16, 32, 64)
TUNED_AT = 32
"""The L0 at which learning rates are chosen, for all of a layer and a width."""


@dataclass(frozen=True)
class Data:
    """What tells data sets apart; `make` gives that of a seed."""

    name: str
    group: str
    budget: Budget
    make: Callable[[int], Problem]
    tuned_on: str | None = None
    """Name of the data set whose learning rates it takes; None for its own."""


def spiked(rho: float, budget: Budget = SPIKED_BUDGET, size: str = "") -> Data:
    """Rows of the paper's generator; a seed has a dictionary and rows of its own."""
    case = Case(rho, size=size)

    def make(seed: int) -> Problem:
        stream = case.stream(seed)
        rows = training_rows(stream, budget.n_rows + budget.n_held_out)
        train, validation = np.split(rows, [budget.n_rows])
        test, (_, dictionary) = held_out(stream, budget.n_held_out, case.signed)
        sizes = SIZES[size]
        return Problem(
            case.key, train, validation, test, sizes.n_active, sizes.n_components, dictionary
        )

    return Data(case.key, case.key, budget, make)


def language(layer: int, width: int, target: int, budget: Budget = LM_BUDGET) -> Data:
    """Activations after one block; a seed decides on nothing here."""
    group = f"layer {layer}, {width}x"
    name = f"{group}, L0 {target}"

    def make(seed: int) -> Problem:
        problem = activations(layer, budget)
        n_components = width * problem.train.shape[1]
        return replace(problem, name=name, target=target, n_components=n_components)

    tuned_on = None if target == TUNED_AT else f"{group}, L0 {TUNED_AT}"
    return Data(name, group, budget, make, tuned_on)


@lru_cache(maxsize=1)
def activations(layer: int, budget: Budget) -> Problem:
    """Return the rows of a layer, which all that is asked of it shares.

    Dense codes of all rows to choose by and to measure on would be gigabytes: a quarter of as many,
    and as many, as the budget says are taken at random.
    """
    problem = language_model(budget, layer)
    rng = np.random.default_rng(0)

    def some(rows: Array, most: int) -> Array:
        return rows[rng.permutation(len(rows))[:most]]

    validation, test = problem.validation, problem.test
    return replace(
        problem,
        validation=some(validation, budget.n_held_out // 4),
        test=some(test, budget.n_held_out),
    )


SPIKED_DATA = [spiked(rho) for rho in RHO]
LM_DATA = [language(*one) for one in ((i, w, k) for i in LAYERS for w in WIDTHS for k in L0)]
DATA = {"spiked": SPIKED_DATA, "lm": LM_DATA}
