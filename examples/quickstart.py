"""Text becomes sparse codes: a pipeline, a grid search, a held-out table, features, a picture.

    python examples/quickstart.py            # a few minutes on two cores
    python examples/quickstart.py --quick    # the same path in a minute, for continuous integration

Everything printed is measured in this run, on modules of Python's standard library that neither
the language model nor the sparse autoencoders were trained on.
"""

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
from scipy import sparse
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.pipeline import Pipeline

from sklearn_aensae import AdaptiveElasticNetSAE, LLMActivationTransformer, TopKSAE
from sklearn_aensae.datasets import TINY_LM, load_stdlib_texts
from sklearn_aensae.inspection import (
    FeatureDensityDisplay,
    TrainingCurveDisplay,
    top_contexts,
)
from sklearn_aensae.metrics import (
    SCORERS,
    best_explained_variance_at_l0,
    dead_share,
    explained_variance,
    l0,
    loss_recovered,
)

LAYER = 1  # the second of four blocks: the middle of the model


@dataclass
class Budget:
    """How much data and training a run takes."""

    train_chars: int
    chars_per_test_module: int
    steps: int
    batch_size: int
    max_l0: int


FULL = Budget(1_000_000, chars_per_test_module=5_000, steps=600, batch_size=1_024, max_l0=48)
# So short a training ends long before codes are sparse.
QUICK = Budget(50_000, chars_per_test_module=500, steps=50, batch_size=512, max_l0=1_000)
LEARNING_RATE = 4e-3  # high, as befits a few hundred steps


def main() -> None:
    """Run all parts, each with its heading."""
    args = parse_args()
    budget, started = QUICK if args.quick else FULL, time.perf_counter()
    train = some_modules(budget.train_chars)
    test = [text[: budget.chars_per_test_module] for text in load_stdlib_texts("test")]

    heading("A grid search over both penalties, language model included")
    pipeline = search_penalties(train, budget, args.seed)

    heading("The best AEN-SAE, and a TopK-SAE at the same L0, on held-out modules")
    activations = pipeline["activations"]
    X_train, X_test = activations.transform(train), activations.transform(test)
    print(f"{len(X_train):,} training tokens, {len(X_test):,} held out, {X_train.shape[1]} wide")
    k = max(1, round(l0(pipeline["sae"].transform(X_test))))
    saes = {"AEN": pipeline["sae"], "TopK": make_topk(k, budget, args.seed).fit(X_train)}
    rows = {name: measure(sae, activations, X_test, test) for name, sae in saes.items()}
    print_table(rows)

    heading("Ten features of the AEN-SAE that look most interpretable, by their top contexts")
    show_features(pipeline, test)

    heading("What is kept")
    output = args.output
    output.mkdir(parents=True, exist_ok=True)
    draw(saes, output / "quickstart.png")
    joblib.dump(pipeline, output / "pipeline.joblib")
    seconds = round(time.perf_counter() - started, 1)
    record = {"seed": args.seed, "seconds": seconds, "rows": rows}
    (output / "quickstart.json").write_text(json.dumps(record, indent=2) + "\n")
    print(f"picture, fitted pipeline and numbers: {output}/quickstart.png, pipeline.joblib, .json")
    print(f"{seconds} seconds in all")


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="tiny budget: the path, not the result"
    )
    parser.add_argument("--seed", type=int, default=0, help="of weights and order of rows")
    parser.add_argument("--output", type=Path, default=Path("examples/output"))
    return parser.parse_args()


def heading(text: str) -> None:
    """Print a heading."""
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def some_modules(n_chars: int) -> list[str]:
    """Whole training modules, in an order that mixes packages, until they have `n_chars`."""
    texts = load_stdlib_texts("train")
    chosen, total = [], 0
    for i in np.random.default_rng(0).permutation(len(texts)):
        chosen.append(texts[i])
        total += len(texts[i])
        if total >= n_chars:
            break
    return chosen


def search_penalties(train: list[str], budget: Budget, seed: int) -> Pipeline:
    """Find the penalties with the best explained variance at an L0 of at most `max_l0`."""
    sae = AdaptiveElasticNetSAE(
        8.0, batch_size=budget.batch_size, max_steps=budget.steps, learning_rate=LEARNING_RATE,
        sparse_output=True, random_state=seed,
    )  # fmt: skip
    activations = LLMActivationTransformer(TINY_LM, LAYER, long_texts="split")
    pipeline = Pipeline([("activations", activations), ("sae", sae)])
    with tempfile.TemporaryDirectory() as cache:
        search = GridSearchCV(
            # With the cache, the language model reads the training texts once for all candidates.
            pipeline.set_params(memory=cache),
            {"sae__lambda_1": [0.005, 0.007], "sae__lambda_2": [1e-4, 1e-3]},
            scoring=SCORERS,
            refit=best_explained_variance_at_l0(budget.max_l0),
            cv=ShuffleSplit(1, test_size=0.1, random_state=seed),
            error_score="raise",
        ).fit(train)
    results = search.cv_results_
    print("lambda_1  lambda_2      EV     L0   dead   (on a tenth of the modules)")
    for i, params in enumerate(results["params"]):
        ev, sparsity, dead = (abs(results[f"mean_test_{name}"][i]) for name in SCORERS)
        mark = f"  <- best with L0 at most {budget.max_l0}" if i == search.best_index_ else ""
        penalties = f"{params['sae__lambda_1']:8g}  {params['sae__lambda_2']:8g}"
        print(f"{penalties}  {ev:6.3f} {sparsity:6.1f} {dead:6.1%}{mark}")
    return search.best_estimator_.set_params(memory=None)


def make_topk(k: int, budget: Budget, seed: int) -> TopKSAE:
    """Make the TopK-SAE to compare with: same size, data, steps and seed."""
    return TopKSAE(
        8.0, k=k, batch_size=budget.batch_size, max_steps=budget.steps,
        learning_rate=LEARNING_RATE, sparse_output=True, random_state=seed,
    )  # fmt: skip


def measure(
    sae: AdaptiveElasticNetSAE | TopKSAE,
    activations: LLMActivationTransformer,
    X_test: np.ndarray,
    test: list[str],
) -> dict[str, float]:
    """Held-out quality of an SAE, as codes and inside the language model."""
    codes = sae.transform(X_test)
    spliced = loss_recovered(activations, sae, test)
    return {
        "L0": l0(codes),
        "EV": explained_variance(X_test, sae.reconstruct(X_test)),
        "dead share": dead_share(codes),
        "CE recovered": spliced.recovered,
        "CE increase": spliced.ce_increase,
        "KL": spliced.kl,
        "CE clean": spliced.ce_clean,
        "CE mean-ablated": spliced.ce_mean_ablated,
        "training rows/s": float(np.median(sae.history_["rows_per_second"])),
    }


def print_table(rows: dict[str, dict[str, float]]) -> None:
    """Print one line per figure; cross-entropies and KL are in nats per token."""
    print(" " * 16 + "".join(f"{name:>10}" for name in rows))
    for figure in next(iter(rows.values())):
        print(f"{figure:16}" + "".join(f"{row[figure]:10.4g}" for row in rows.values()))


def show_features(pipeline: Pipeline, texts: list[str]) -> None:
    """Print the features whose strongest activations agree most on one token."""
    codes = sparse.csc_array(pipeline.transform(texts))
    tokens = pipeline["activations"].return_tokens(texts)
    frequency = np.diff(codes.indptr) / codes.shape[0]
    candidates = np.flatnonzero((frequency > 2e-4) & (frequency < 2e-2))
    found: dict[str, tuple[float, int]] = {}
    for feature in candidates:
        start, stop = codes.indptr[feature : feature + 2]
        strongest = np.argsort(-codes.data[start:stop])[:20]
        words = tokens["token"][codes.indices[start:stop][strongest]]
        word, count = max(((w, (words == w).sum()) for w in set(words)), key=lambda pair: pair[1])
        agreement = count / len(words)
        # Single characters are what tokenisation leaves over; whole words say more.
        if len(word.strip()) > 1 and agreement > found.get(word, (0.0, 0))[0]:
            found[word] = (agreement, int(feature))
    best = sorted(found.items(), key=lambda item: -item[1][0])[:10]
    print("(chosen by how many of their 20 strongest activations fall on the same token)")
    for word, (agreement, feature) in best:
        print(
            f"\nfeature {feature}: {agreement:.0%} on {word!r}, fires on {frequency[feature]:.2%}"
        )
        for context in top_contexts(codes, tokens, feature, n_contexts=3):
            before, token, after = (part.encode("unicode_escape").decode() for part in context[1:4])
            print(f"  {context.code:7.2f}  {before[-40:]:>40}[{token}]{after[:30]}")


def draw(saes: dict[str, AdaptiveElasticNetSAE | TopKSAE], path: Path) -> None:
    """Draw training curves and feature densities."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(13, 3.6), layout="constrained")
    for name, sae in saes.items():
        TrainingCurveDisplay.from_estimator(sae, ax=axes[0], label=name)
        TrainingCurveDisplay.from_estimator(sae, ["l0"], ax=axes[1], label=name)
        FeatureDensityDisplay.from_estimator(sae, ax=axes[2], label=name)
    axes[0].set_ylim(0, 1)
    axes[1].set_yscale("log")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
