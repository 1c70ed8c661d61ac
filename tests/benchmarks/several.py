"""Several strengths of a penalty: from one pass over the data, one by one, and by a grid search."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_aensae import AdaptiveElasticNetSAE, LLMActivationTransformer, fit_many
from sklearn_aensae.datasets import TINY_LM, load_stdlib_texts, make_sparse_codes
from sklearn_aensae.metrics import SCORERS

from .machine import describe

__all__ = ["run_several"]

STRENGTHS = (0.002, 0.004, 0.008, 0.016)


def run_several(
    n_rows: int = 300_000,
    *,
    n_features: int = 512,
    n_components: int = 1_024,
    batch_size: int = 1_024,
    n_steps: int = 200,
    n_texts: int = 40,
    n_repeats: int = 3,
) -> dict[str, Any]:
    """Fit all strengths from an array, a file and a language model, together and one by one.

    Parameters
    ----------
    n_rows, n_features : int
        Of the array and of the file; by default more than a buffer, so that blocks are read.
    n_components, batch_size, n_steps : int
        Of each fit.
    n_texts : int
        Most texts of which the language model makes activations; they may end training earlier.
    n_repeats : int
        How often both ways take turns.
    """
    X, _, _ = make_sparse_codes(
        n_rows, n_features, n_components, n_active=16, dtype=np.float32, random_state=0
    )
    sae = AdaptiveElasticNetSAE(
        n_components, batch_size=batch_size, max_steps=n_steps, device="cpu", random_state=0
    )
    # Whoever is first would pay for what is loaded at first use.
    clone(sae).set_params(max_steps=2).fit(X[: 2 * batch_size])
    records = [
        {"data": "array", **compare(sae, lambda: X, n_repeats)},
        {"data": "array, held-out scores", **compare_search(sae, X, n_repeats)},
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "X.npy"
        np.save(path, X)
        records.append({"data": "file", **compare(sae, lambda: path, n_repeats)})
    texts = load_stdlib_texts("train")[:n_texts]
    model = LLMActivationTransformer(TINY_LM, layer=1, long_texts="split")
    n_tokens = sum(map(len, model.iter_transform(texts)))
    of_texts = clone(sae).set_params(max_steps=min(n_steps, n_tokens // batch_size))
    stream = compare(of_texts, lambda: model.iter_transform(texts), n_repeats)
    records.append({"data": "language model", **stream})
    sizes = {
        "n_rows": n_rows, "n_features": n_features, "n_components": n_components,
        "batch_size": batch_size, "n_estimators": len(STRENGTHS),
    }  # fmt: skip
    return {"part": "several", "machine": describe(), "sizes": sizes, "fits": records}


def compare(
    sae: AdaptiveElasticNetSAE, make_data: Callable[[], Any], n_repeats: int
) -> dict[str, Any]:
    """Seconds of both ways in turn, and whether they have led to the same."""
    seconds: dict[str, list[float]] = {"together": [], "one by one": []}
    for _ in range(n_repeats):
        alone, together = grid(sae), grid(sae)
        with clock(seconds["one by one"]):
            for each in alone:
                each.fit(make_data())
        with clock(seconds["together"]):
            fit_many(together, make_data())
    pairs = zip(together, alone, strict=True)
    same = all(np.array_equal(a.components_, b.components_) for a, b in pairs)
    return {"n_steps": sae.max_steps, "seconds": seconds, "same": same}


def compare_search(sae: AdaptiveElasticNetSAE, X: np.ndarray, n_repeats: int) -> dict[str, Any]:
    """Seconds of a grid search on one split, and of the same scores after a joint fit."""
    seconds: dict[str, list[float]] = {"together": [], "one by one": []}
    train, test = np.split(np.arange(len(X)), [len(X) * 9 // 10])
    for _ in range(n_repeats):
        search = GridSearchCV(
            sae, {"lambda_1": STRENGTHS}, scoring=SCORERS, refit=False, cv=[(train, test)]
        )
        with clock(seconds["one by one"]):
            search.fit(X)
        with clock(seconds["together"]):
            fitted = fit_many(grid(sae), X[train])
            scores = {
                name: [scorer(each, X[test]) for each in fitted] for name, scorer in SCORERS.items()
            }
    same = all(
        np.array_equal(search.cv_results_[f"mean_test_{name}"], values)
        for name, values in scores.items()
    )
    return {"n_steps": sae.max_steps, "seconds": seconds, "same": same}


def grid(sae: AdaptiveElasticNetSAE) -> list[AdaptiveElasticNetSAE]:
    """One unfitted estimator per strength."""
    return [clone(sae).set_params(lambda_1=strength) for strength in STRENGTHS]


@contextmanager
def clock(seconds: list[float]) -> Iterator[None]:
    """Append the seconds of a block to a list."""
    started = time.perf_counter()
    yield
    seconds.append(time.perf_counter() - started)
