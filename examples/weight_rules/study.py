"""One rule on one data set with one seed, at the L0 that is asked of all."""

import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from examples.weight_rules.rules import RULES
from examples.which_sae.problems import QUICK as QUICK_BUDGET
from examples.which_sae.problems import Budget, Problem
from sklearn_aensae import AdaptiveElasticNetSAE
from sklearn_aensae.metrics import dead_share, dictionary_recovery, explained_variance, l0

__all__ = ["FULL", "QUICK", "Setting", "measure", "prepared"]


@dataclass(frozen=True)
class Setting:
    """What is the same for all rules."""

    budget: Budget
    seeds: tuple[int, ...]
    learning_rate: float = 4e-3
    lambda_1: float = 0.01

    def as_json(self) -> dict[str, Any]:
        """Return plain values, with the rules, to tell one study from another."""
        return {**asdict(self), "seeds": list(self.seeds), "rules": RULES}


FULL = Setting(Budget(100_000, 4_000, 400_000, 16, steps=1_500, batch_size=256), (0, 1, 2))
QUICK = Setting(replace(QUICK_BUDGET, steps=40), (0,))


def prepared(problem: Problem, n_held_out: int) -> Problem:
    """Hold out rows at random, and leave out the language model, which workers do not need.

    At random, so that they have the L0 of the training rows: texts differ from each other, and
    rules are to be compared at one L0.
    """
    rows = np.concatenate([problem.train, problem.validation])
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    train, held_out = np.split(rows, [len(rows) - n_held_out])
    return replace(problem, train=train, validation=held_out, activations=None, texts=())


def measure(rule: str, problem: Problem, seed: int, setting: Setting) -> dict[str, Any]:
    """Train by a rule and measure on rows that nothing was trained on."""
    started = time.perf_counter()
    budget = setting.budget
    sae = AdaptiveElasticNetSAE(
        problem.n_components, lambda_1=setting.lambda_1, target_l0=problem.target,
        learning_rate=setting.learning_rate, max_steps=budget.steps, batch_size=budget.batch_size,
        device="cpu", random_state=seed, **RULES[rule],
    ).fit(problem.train)  # fmt: skip
    seconds = time.perf_counter() - started
    rows = problem.validation
    codes = sae.transform(rows)
    found = {
        "L0": float(l0(codes)),
        "EV": float(explained_variance(rows, sae.reconstruct(rows))),
        "dead": float(dead_share(codes)),
        "pinned": sae.pinned_share_,
        "lambda_1": sae.lambda_1_,
        "s": seconds,
    }
    if problem.truth is not None:
        found["recovery"] = float(dictionary_recovery(sae.components_, problem.truth).mean_cosine)
    return {"problem": problem.name, "rule": rule, "seed": seed, "target": problem.target, **found}
