"""One arm on one data set: choose a configuration on validation rows, then measure three seeds."""

import time
from typing import Any

import numpy as np

from examples.fair_comparison.arms import Arm
from examples.fair_comparison.problems import Data
from examples.which_sae.problems import Problem
from examples.which_sae.study import NOTHING, SEEDS, Params, Scores, attempt, choose, fit
from sklearn_aensae import BaseSAE
from sklearn_aensae.exceptions import DivergenceError
from sklearn_aensae.metrics import (
    amortization_gap,
    dead_share,
    dictionary_recovery,
    explained_variance,
    l0,
    loss_recovered,
)

WINDOWS = (1_000, 4_000, 16_000)
"""Held-out rows on which a component has to be silent to count as dead."""

GAP_ROWS = 2_000


def compare(
    arm: Arm, data: Data, tuned: dict[str, Any] | None = None, seeds: tuple[int, ...] = SEEDS
) -> dict[str, Any]:
    """Return all trials, the configuration chosen, and a run of it for each seed.

    `tuned` is what this function returned for the data set whose learning rate is taken: then
    nothing is tried but strengths of a penalty, where the number of active codes is not asked for,
    and those begin where they ended there.
    """
    problem, found = data.make(seeds[0]), []
    if tuned is not None and arm.is_asked_for_l0:
        params = arm.asked_for(problem.target, tuned["params"]["learning_rate"])
    else:
        found = tried(arm, data, problem, [] if tuned is None else tuned["trials"])
        params = choose(found, problem.target)
    return {
        "problem": data.name,
        "group": data.group,
        "estimator": arm.name,
        "not default": arm.extra,
        "target": problem.target,
        "trials": [{"params": one, **scores} for one, scores in found],
        "params": params,
        "runs": [measure(arm, data, params, seed) for seed in seeds],
    }


def tried(
    arm: Arm, data: Data, problem: Problem, before: list[dict[str, Any]]
) -> list[tuple[Params, Scores]]:
    """Fit every configuration, and score it on the validation rows."""
    found: list[tuple[Params, Scores]] = []
    trials = arm.trials(
        problem.target, [(trial["params"]["lambda_1"], trial["L0"]) for trial in before]
    )
    params: Params | None = next(trials)
    while params is not None:
        scores = attempt(arm.cls, problem, data.budget, {**arm.extra, **params})
        found.append((params, scores))
        try:
            params = trials.send(scores)
        except StopIteration:
            params = None
    return found


def measure(arm: Arm, data: Data, params: Params, seed: int) -> Scores:
    """Figures of one fit on the test rows, with its seconds."""
    problem = data.make(seed)
    started = time.perf_counter()
    try:
        sae = fit(arm.cls, problem, data.budget, {**arm.extra, **params}, seed)
    except DivergenceError:
        return NOTHING | {"s": time.perf_counter() - started}
    return {"s": time.perf_counter() - started, **figures(sae, problem)}


def figures(sae: BaseSAE, problem: Problem) -> Scores:
    """Everything that is known of a fit on rows that nothing was chosen by."""
    X = problem.test
    codes = sae.transform(X)
    scores = {
        "L0": float(l0(codes)),
        "EV": float(explained_variance(X, sae.reconstruct(X))),
        "dead in training": sae.n_dead_ / sae.n_components_,
    }
    for window in WINDOWS:
        if window <= len(X):
            scores[f"silent in {window:,}"] = float(dead_share(codes, n_samples=window))
    if problem.truth is not None:
        for name, centered in (("recovery", False), ("recovery centred", True)):
            found = dictionary_recovery(sae.components_, problem.truth, centered=centered)
            scores[name] = found.mean_cosine
    if problem.activations is not None:
        lost = loss_recovered(problem.activations, sae, list(problem.texts))
        scores["CE recovered"], scores["CE increase"] = lost.recovered, lost.ce_increase
    # Matched exact codes have another penalty than the one that the encoder was trained for.
    params = sae.get_params()
    is_matched = params.get("transform_method") == "exact" and params["target_l0"] is not None
    if "transform_method" in params and not is_matched:
        rows = X[np.random.default_rng(0).permutation(len(X))[:GAP_ROWS]]
        scores["gap"] = amortization_gap(sae, rows).median
    return scores
