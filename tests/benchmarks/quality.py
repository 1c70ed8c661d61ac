"""Part 2: whole fits, until held-out explained variance reaches a level.

All methods train in turn, step by step, and stop their clocks while held-out rows are scored.
The dense AEN has our initial weights, order of rows, schedules and formula, so its explained
variance and L0 must be ours; only time may differ.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sklearn_aensae.datasets import TINY_LM, load_stdlib_texts, make_sparse_codes

from .interleave import Stepper
from .machine import describe
from .method import Method
from .problem import Problem, scaled
from .registry import FITS, installed

__all__ = ["DATA", "run_quality"]

LEVELS = (0.9, 0.95, 0.99)
"""Levels: shares s of our own final explained variance, at no more than 2 - s of its L0."""

LEARNING_RATES = {"TopK": 1e-3, "AEN": 4e-3}


def language_model_rows(n_train: int, n_test: int) -> tuple[np.ndarray, np.ndarray, dict]:
    """Residual stream after the second block of the packaged model; it has not seen the test."""
    from sklearn_aensae import LLMActivationTransformer

    with LLMActivationTransformer(TINY_LM, layer=1, long_texts="split") as activations:
        train = activations.transform(some_texts("train", 5 * n_train))
        test = activations.transform(some_texts("test", 5 * n_test))
    train = np.random.default_rng(0).permutation(train)[:n_train]
    return train, test[:n_test], {"n_components": 1_536, "lambda_1": 6e-3, "k": 32}


def some_texts(subset: str, n_characters: int) -> list[str]:
    """Beginnings of modules of the standard library, in random order, of so many characters."""
    texts = [text[:20_000] for text in load_stdlib_texts(subset)]
    order = np.random.default_rng(0).permutation(len(texts))
    ends = np.cumsum([len(texts[i]) for i in order])
    return [texts[i] for i in order[: np.searchsorted(ends, n_characters) + 1]]


def synthetic_rows(n_train: int, n_test: int) -> tuple[np.ndarray, np.ndarray, dict]:
    """Positive sums of 8 of 512 random atoms in 128 dimensions, and a little noise."""
    X, _, _ = make_sparse_codes(
        n_train + n_test,
        128,
        512,
        n_active=8,
        noise_std=0.05,
        dtype=np.float32,
        random_state=0,
    )
    return X[:n_train], X[n_train:], {"n_components": 1_024, "lambda_1": 1e-2, "k": 16}


def large_rows(n_train: int, n_test: int) -> tuple[np.ndarray, np.ndarray, dict]:
    """Positive sums of 16 of 2,048 random atoms in 512 dimensions, and a little noise."""
    X, _, _ = make_sparse_codes(
        n_train + n_test,
        512,
        2_048,
        n_active=16,
        noise_std=0.05,
        dtype=np.float32,
        random_state=0,
    )
    return X[:n_train], X[n_train:], {"n_components": 4_096, "lambda_1": 6e-3, "k": 32}


DATA = {"lm": language_model_rows, "synthetic": synthetic_rows, "large": large_rows}


def run_quality(
    data: str,
    *,
    n_steps: int = 600,
    n_train: int = 100_000,
    n_test: int = 8_192,
    batch_size: int = 1_024,
    n_scores: int = 50,
    methods: list[type[Method]] | None = None,
    **parameters: Any,
) -> dict[str, Any]:
    """Train all methods in turn and score them as they go.

    Parameters
    ----------
    data : {"lm", "synthetic", "large"}
        Where rows come from.
    n_steps, n_train, n_test, batch_size : int
        Length of training, numbers of rows.
    n_scores : int
        Times at which held-out rows are scored.
    methods : list of Method classes, default=None
        None is `FITS`.
    **parameters : Any
        Of the `Problem`, in place of those that come with the data.

    Returns
    -------
    dict
        "methods": a record for each, with "curve", a list of [seconds, explained variance, L0],
        and "step_ms" of every step but the first, which includes the set-up.
    """
    train, test, own = DATA[data](n_train, n_test)
    both = torch.from_numpy(scaled(np.concatenate([train, test])))
    X, X_test = both[: len(train)].clone(), both[len(train) :]
    shared = {**own, "n_steps": n_steps, "batch_size": batch_size, **parameters}
    chosen = installed(FITS if methods is None else methods)
    for cls in chosen:
        cls.load()
    trained = [
        cls(
            Problem(
                X,
                schedules=True,
                in_order=True,
                **{"learning_rate": LEARNING_RATES[cls.kind], **shared},
            )
        )
        for cls in chosen
    ]
    records = train_in_turn(trained, X_test, n_steps, max(1, n_steps // n_scores))
    return {
        "part": "quality",
        "machine": describe(),
        "data": data,
        "n_rows": [len(X), len(X_test)],
        "n_features": X.shape[1],
        "learning_rates": LEARNING_RATES,
        "parameters": shared,
        "methods": records,
    }


def train_in_turn(
    methods: list[Method], X_test: Tensor, n_steps: int, interval: int
) -> list[dict[str, Any]]:
    """Train all methods for `n_steps`, with held-out scores every `interval` steps."""
    steppers = [Stepper(method) for method in methods]
    times: list[list[float]] = [[] for _ in methods]
    curves: list[list[tuple[float, float, float]]] = [[] for _ in methods]
    try:
        for stepper in steppers:
            stepper.step()
        for step in range(2, n_steps + 1):
            for stepper, seconds in zip(steppers, times, strict=True):
                seconds.append(stepper.step())
            if step % interval == 0 or step == n_steps:
                for method, curve, seconds in zip(methods, curves, times, strict=True):
                    curve.append((sum(seconds), *score(method, X_test)))
    finally:
        for stepper in steppers:
            stepper.stop()
    return [
        {
            "name": method.name,
            "kind": method.kind,
            "version": method.version(),
            "curve": curve,
            "step_ms": [1e3 * s for s in seconds],
        }
        for method, curve, seconds in zip(methods, curves, times, strict=True)
    ]


def score(method: Method, X: Tensor) -> tuple[float, float]:
    """Explained variance and L0."""
    reconstruction, l0 = method.reconstruct(X)
    spread = (X - X.mean(0)).square().sum()
    return float(1 - (X - reconstruction).square().sum() / spread), l0
