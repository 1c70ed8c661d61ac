"""One estimator on one data set: choose its parameters, then measure them with each seed."""

import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import get_tags

from examples.which_sae.problems import Budget, Problem
from sklearn_aensae import BaseSAE
from sklearn_aensae.exceptions import DivergenceError
from sklearn_aensae.metrics import (
    dead_share,
    dictionary_recovery,
    explained_variance,
    l0,
    loss_recovered,
)

SEEDS = (0, 1, 2)
LEARNING_RATES = (5e-4, 1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2)
LEARNING_RATES_WITH_PENALTY = (4e-3, 1.6e-2)
N_STRENGTHS = 3  # as many trials in all: both kinds of estimators have six
FIRST_STRENGTH = 0.01
TOLERANCE = 1.15
"""Factor by which the L0 of a trial may miss the target."""

Params = dict[str, Any]
Scores = dict[str, float]
NOTHING = {"L0": 0.0, "EV": 0.0, "dead": 1.0}
"""Scores of a training that diverges."""


def study(cls: type[BaseSAE], problem: Problem, budget: Budget) -> dict[str, Any]:
    """Return all trials, the parameters chosen, and a run of these for each seed."""
    found = list(trials(cls, problem, budget))
    params = choose(found, problem.target)
    return {
        "estimator": cls.__name__,
        "target": problem.target,
        "trials": [{"params": tried, **scores} for tried, scores in found],
        "params": params,
        "runs": [measure(cls, problem, budget, params, seed) for seed in SEEDS],
    }


def trials(cls: type[BaseSAE], problem: Problem, budget: Budget) -> Iterator[tuple[Params, Scores]]:
    """Yield the parameters of each trial and its scores on the validation rows."""
    if "k" in cls.__dataclass_fields__:
        for rate in LEARNING_RATES:
            params = {"learning_rate": rate, "k": problem.target}
            yield params, attempt(cls, problem, budget, params)
        return
    penalty = next(name for name in ("lambda_1", "lambda_0") if name in cls.__dataclass_fields__)
    for rate in LEARNING_RATES_WITH_PENALTY:
        seen: list[tuple[float, float]] = []
        for _ in range(N_STRENGTHS):
            strength = next_strength(seen, problem.target)
            params = {"learning_rate": rate, penalty: strength}
            scores = attempt(cls, problem, budget, params)
            seen.append((strength, scores["L0"]))
            yield params, scores


def attempt(cls: type[BaseSAE], problem: Problem, budget: Budget, params: Params) -> Scores:
    """Scores of one trial on the validation rows."""
    try:
        return score(fit(cls, problem, budget, params, seed=0), problem.validation)
    except DivergenceError:
        return NOTHING


def fit(cls: type[BaseSAE], problem: Problem, budget: Budget, params: Params, seed: int) -> BaseSAE:
    """Train on the training rows; what maps rows to other rows maps them to themselves."""
    sae = cls(
        problem.n_components, max_steps=budget.steps, batch_size=budget.batch_size,
        device="cpu", random_state=seed, **params,
    )  # fmt: skip
    wanted = problem.train if get_tags(sae).target_tags.required else None
    return sae.fit(problem.train, wanted)


def score(sae: BaseSAE, X: NDArray[np.floating]) -> Scores:
    """L0, explained variance and share of dead features on rows."""
    codes = sae.transform(X)
    variance = explained_variance(X, sae.reconstruct(X))
    return {"L0": float(l0(codes)), "EV": float(variance), "dead": float(dead_share(codes))}


def next_strength(seen: list[tuple[float, float]], target: float) -> float:
    """Strength at which a line through the last two trials, in logarithms, meets the target."""
    if not seen:
        return FIRST_STRENGTH
    logs = [(math.log(strength), math.log(max(count, 1e-2) / target)) for strength, count in seen]
    slope = -1.0
    if len(logs) > 1 and logs[-1][0] != logs[-2][0]:
        slope = (logs[-1][1] - logs[-2][1]) / (logs[-1][0] - logs[-2][0])
    # A stronger penalty leaves fewer codes, whatever the noise of two short trainings says.
    step = -logs[-1][1] / min(slope, -0.3)
    return math.exp(logs[-1][0] + max(-2.3, min(2.3, step)))


def choose(found: list[tuple[Params, Scores]], target: float) -> Params:
    """Parameters of the trial that explains most at about the target, or that is nearest to it."""

    def misses(scores: Scores) -> float:
        return abs(math.log(max(scores["L0"], 1e-2) / target))

    near = [trial for trial in found if misses(trial[1]) <= math.log(TOLERANCE)]
    if near:
        return max(near, key=lambda trial: trial[1]["EV"])[0]
    return min(found, key=lambda trial: misses(trial[1]))[0]


def measure(
    cls: type[BaseSAE], problem: Problem, budget: Budget, params: Params, seed: int
) -> Scores:
    """Scores of one fit on the test rows, with its seconds."""
    started = time.perf_counter()
    try:
        sae = fit(cls, problem, budget, params, seed)
    except DivergenceError:
        return NOTHING | {"s": time.perf_counter() - started}
    scores = {"s": time.perf_counter() - started} | score(sae, problem.test)
    if problem.truth is not None:
        scores["recovery"] = dictionary_recovery(sae.components_, problem.truth).mean_cosine
    if problem.activations is not None:
        found = loss_recovered(problem.activations, sae, list(problem.texts))
        scores["CE recovered"] = found.recovered
    return scores
