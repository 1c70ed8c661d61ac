"""Every estimator on the same three data sets, each tuned with the same number of fits.

    python examples/which_sae.py              # half an hour on two cores
    python examples/which_sae.py --quick      # the same path in a minute: no result
    python examples/which_sae.py --page docs/which_sae.md    # also writes the page's tables

An estimator with a `k` gets the aimed-at number of active components, and the fits try learning
rates; one with a penalty uses them to find the strength that leads there. What is best on rows that
nobody trained on is then fitted with three seeds and measured on rows that nobody has looked at.
All see the same rows in the same order.
"""

import argparse
import json
import re
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sklearn_aensae import LLMActivationTransformer, all_saes
from sklearn_aensae.datasets import (
    TINY_LM,
    load_stdlib_texts,
    make_feature_tree,
    make_spiked_dictionary,
)
from sklearn_aensae.metrics import dead_share, dictionary_recovery, l0, loss_recovered

LEARNING_RATES = (1e-3, 3e-3, 5e-4, 6e-3, 2e-3)
PENALTIES = ("lambda_1", "lambda_0")
SEEDS = (0, 1, 2)
FAR = 1.1  # most active components, over those aimed at, with which a fit may win


@dataclass
class Data:
    """Rows to train on, to tune on and to measure on, and what is known about them."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    n_components: int
    l0: int
    dictionary: np.ndarray | None = None
    recovered: Callable[[Any], float] | None = None
    steps: int = 1_500
    batch_size: int = 256
    rows: dict[str, list[dict[str, float]]] = field(default_factory=dict)


def main() -> None:
    """Measure, print, write."""
    args = parse_args()
    torch.set_num_threads(args.threads)
    record: dict[str, Any] = {"versions": versions(), "threads": args.threads, "data": {}}
    for name, make in DATA.items():
        data = make(args.quick)
        for sae_name, cls in all_saes():
            if args.only and sae_name not in args.only:
                continue
            params = tuned(cls, data, args.fits)
            rows = [measure(cls, data, params, seed) for seed in SEEDS[: 1 if args.quick else 3]]
            data.rows[sae_name] = rows
            print(f"{name:10}{sae_name:24}{summary(rows)}  {params}", flush=True)
        record["data"][name] = data.rows
    if args.json:
        args.json.write_text(json.dumps(record, indent=1) + "\n")
    if args.page:
        fill(args.page, record)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one seed: no result")
    parser.add_argument("--fits", type=int, default=5, help="to tune each estimator")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="names of estimators")
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--page", type=Path, help="page whose tables are written")
    return parser.parse_args()


def versions() -> dict[str, str]:
    """Return the versions that results depend on."""
    return {name: version(name) for name in ("sklearn-aensae", "torch", "scikit-learn", "numpy")}


# Data -------------------------------------------------------------------------------------


def spiked(quick: bool) -> Data:
    """Atoms that share a direction, as in the benchmark of the AEN-SAE paper, but smaller."""
    n = 1_000 if quick else 40_000
    X, _, dictionary = make_spiked_dictionary(
        n + 4_000, 64, 256, n_active=8, rho=0.5, dtype=np.float32, random_state=0
    )
    return Data(*split(X), 256, 8, dictionary, steps=100 if quick else 1_500)


def tree(quick: bool) -> Data:
    """Features that are active only with their parent."""
    n = 1_000 if quick else 40_000
    X, codes, dictionary, _ = make_feature_tree(
        n + 4_000, n_features=64, dtype=np.float32, random_state=0
    )
    active = max(1, round(codes.nnz / codes.shape[0]))
    n_components = len(dictionary)
    return Data(*split(X), n_components, active, dictionary, steps=100 if quick else 1_500)


def language_model(quick: bool) -> Data:
    """Activations of the packaged language model, on modules of Python's standard library."""
    texts = load_stdlib_texts("train")
    order = np.random.default_rng(0).permutation(len(texts))
    activations = LLMActivationTransformer(TINY_LM, 1, long_texts="split")
    train = activations.fit_transform([texts[i][:8_000] for i in order[: 4 if quick else 60]])
    held_out = [text[:1_500] for text in load_stdlib_texts("test")]
    half = 2 if quick else len(held_out) // 2
    valid, test = held_out[:half], held_out[half : 2 * half]
    return Data(
        train,
        activations.transform(valid),
        activations.transform(test),
        n_components=4 * train.shape[1],
        l0=16,
        recovered=lambda sae: loss_recovered(activations, sae, test[:20]).recovered,
        steps=20 if quick else 500,
        batch_size=512,
    )


def split(X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows to train on; the last 4,000 to tune on and to measure on."""
    return X[:-4_000], X[-4_000:-2_000], X[-2_000:]


DATA = {"spiked": spiked, "tree": tree, "lm": language_model}


# Fits -------------------------------------------------------------------------------------


def tuned(cls: type, data: Data, n_fits: int) -> dict[str, float]:
    """Parameters with the best held-out explained variance at the aimed-at L0."""
    fields = cls.__dataclass_fields__
    penalty = next((name for name in PENALTIES if name in fields), None)
    found: list[tuple[float, float, dict[str, float]]] = []
    low, high = 0.0, np.inf
    value = fields[penalty].default if penalty and "k" not in fields else 0.0
    for rate in LEARNING_RATES[:n_fits]:
        if "k" in fields:
            params = {"k": data.l0, "learning_rate": rate}
        else:
            params = {penalty: value, "learning_rate": 3e-3}
        sae = fitted(cls, data, params, seed=0)
        active, score = l0(sae.transform(data.valid)), sae.score(data.valid)
        found.append((active, score, params))
        if "k" not in fields:
            low, high = (value, high) if active > data.l0 else (low, value)
            value = between(low, high, value)
    near = [row for row in found if row[0] <= FAR * data.l0]
    return max(near, key=lambda row: row[1])[2] if near else min(found, key=lambda r: r[0])[2]


def between(low: float, high: float, value: float) -> float:
    """Next strength to try: the geometric mean of the bounds, or a step of 3 without one."""
    if low == 0.0 or not np.isfinite(high):
        return value * (3 if low else 1 / 3)
    return float(np.sqrt(low * high))


def fitted(cls: type, data: Data, params: dict[str, float], seed: int) -> Any:
    """Fit on the training rows."""
    sae = cls(
        data.n_components,
        max_steps=data.steps,
        batch_size=data.batch_size,
        random_state=seed,
        **params,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sae.fit(data.train)


def measure(cls: type, data: Data, params: dict[str, float], seed: int) -> dict[str, float]:
    """Fit with a seed and measure on rows that nobody has looked at."""
    started = time.perf_counter()
    sae = fitted(cls, data, params, seed)
    seconds = time.perf_counter() - started
    codes = sae.transform(data.test)
    row = {"L0": l0(codes), "EV": sae.score(data.test), "dead": dead_share(codes)}
    if data.dictionary is not None:
        found = dictionary_recovery(sae.components_, data.dictionary)
        row["recovery"] = found.mean_cosine
    if data.recovered is not None:
        row["CE recovered"] = data.recovered(sae)
    return {**row, "seconds": seconds}


# Tables -----------------------------------------------------------------------------------


def summary(rows: list[dict[str, float]]) -> str:
    """Means over seeds, for the terminal."""
    names = rows[0]
    return "  ".join(f"{name} {np.mean([row[name] for row in rows]):.3g}" for name in names)


def fill(page: Path, record: dict[str, Any]) -> None:
    """Write the tables between the markers of a page."""
    text = page.read_text()
    for name, rows in record["data"].items():
        pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        body = table(rows)
        text = pattern.sub(lambda match, body=body: match[1] + body + match[2], text)
    page.write_text(text)


def table(data: dict[str, list[dict[str, float]]]) -> str:
    """Return a table in Markdown: mean, and least to most over the seeds."""
    columns = list(next(iter(data.values()))[0])
    lines = ["| estimator | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    best = sorted(data, key=lambda name: -np.mean([row["EV"] for row in data[name]]))
    for name in best:
        cells = [cell(column, [row[column] for row in data[name]]) for column in columns]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def cell(column: str, values: list[float]) -> str:
    """Return mean and range of a figure."""
    digits = {"L0": 1, "seconds": 1}.get(column, 3)
    mean, low, high = (
        f"{value:.{digits}f}" for value in (np.mean(values), min(values), max(values))
    )
    return f"{mean} ({low}..{high})"


if __name__ == "__main__":
    main()
