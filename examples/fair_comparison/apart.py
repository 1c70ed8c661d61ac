"""What in exact codes does it: the solver, least squares on the support, or decoder refits.

    python -m examples.fair_comparison.apart --page docs/fair_comparison.md

On two layers of the packaged language model, BatchTopK's codes are given the least squares and the
refits that exact codes have, and exact codes are taken without refits. Learning rates are those
that the comparison has chosen.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# One fit per core, as in the comparison. Before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from examples.fair_comparison.problems import Data, language
from examples.studies.page import Run, markdown, provenance, publish, seeds, spread
from examples.studies.record import Record, describe
from examples.which_sae.problems import Problem
from examples.which_sae.study import SEEDS, fit
from sklearn_aensae import L1SAE, BaseSAE, BatchTopKSAE
from sklearn_aensae.coding import Coding, debias
from sklearn_aensae.metrics import dead_share, explained_variance, l0

LAYERS, WIDTH, TARGET, REFITS, REFIT_ROWS = (1, 3), 8, 32, 2, 32_768
COMPARISON = Path(__file__).parents[2] / "docs" / "data" / "fair_comparison.json"

Array = NDArray[np.floating[Any]]
Codes = tuple[str, str, int, BaseSAE, Array]
"""Whose dictionary, which codes, after how many refits; the estimator, and the codes."""


def on_support(sae: BaseSAE, X: Array, codes: Array) -> Array:
    """Replace codes by non-negative least squares on the components that are active."""
    atoms = torch.tensor(sae.components_)
    found = np.zeros_like(codes)
    for rows in np.array_split(np.arange(len(X)), 8):
        x = torch.tensor((X[rows] - sae.decoder_bias_).astype(atoms.numpy().dtype))
        most = int((codes[rows] > 0).sum(1).max())
        values, columns = torch.tensor(codes[rows]).topk(most)
        values = debias(Coding(x, atoms, torch.zeros(len(atoms)), 0.0).prepared(), columns, values)
        found[rows] = torch.zeros(len(x), len(atoms)).scatter_add_(1, columns, values).numpy()
    return found


def of_batch_topk(problem: Problem, data: Data, rate: float, seed: int) -> Iterator[Codes]:
    """Codes by BatchTopK's encoder, as they are and fitted again, before and after refits."""
    params = {"k": TARGET, "learning_rate": rate}
    sae = fit(BatchTopKSAE, problem, data.budget, params, seed)
    rng = np.random.default_rng(seed)
    for n_refits in (0, REFITS):
        for _ in range(n_refits):
            sae.refit_decoder(problem.train[rng.permutation(len(problem.train))[:REFIT_ROWS]])
        codes = sae.transform(problem.test)
        yield "BatchTopKSAE", "encoder", n_refits, sae, codes
        fitted = on_support(sae, problem.test, codes)
        yield "BatchTopKSAE", "encoder, least squares", n_refits, sae, fitted


def of_l1(problem: Problem, data: Data, rate: float, seed: int) -> Iterator[Codes]:
    """Codes of L1 dictionaries, by the encoder and exact, without and with refits."""
    shared = {"target_l0": TARGET, "learning_rate": rate}
    exact = {"transform_method": "exact"}
    ways = {
        "encoder": ({}, (0,)),
        "encoder, least squares": ({"debias": True}, (0, REFITS)),
        "exact": (exact, (0,)),
        "exact, least squares": ({**exact, "debias": True}, (0, REFITS)),
        "exact, thresholded": ({**exact, "debias": "thresholded"}, (0, REFITS)),
    }
    for name, (options, refits) in ways.items():
        for n_refits in refits:
            params = {**shared, **options, "decoder_refits": n_refits}
            sae = fit(L1SAE, problem, data.budget, params, seed)
            yield "L1SAE", name, n_refits, sae, sae.transform(problem.test)


def study(data: Data, rates: dict[str, float], seed: int) -> Run:
    """Figures of all codes on the test rows, for one seed."""
    problem, found = data.make(seed), []
    for make, name in ((of_batch_topk, "BatchTopKSAE"), (of_l1, "L1SAE")):
        for estimator, codes_name, n_refits, sae, codes in make(problem, data, rates[name], seed):
            figures = {
                "L0": float(l0(codes)),
                "EV": float(explained_variance(problem.test, sae.inverse_transform(codes))),
                "silent": float(dead_share(codes)),
            }
            one = {"estimator": estimator, "codes": codes_name, "refits": n_refits, **figures}
            found.append(one)
    return {"data": data.name, "seed": seed, "rates": rates, "figures": found}


def chosen_rates(data: Data) -> dict[str, float]:
    """Return the learning rates that the comparison has chosen."""
    runs = json.loads(COMPARISON.read_text())["runs"]
    return {
        run["estimator"]: run["params"]["learning_rate"]
        for run in runs
        if run["problem"] == data.name and run["estimator"] in ("BatchTopKSAE", "L1SAE")
    }


def table(runs: list[Run]) -> str:
    """Put the means of the seeds in a table."""
    digits = {"L0": 1, "EV": 3, "silent": 4}
    lines = [["data", "estimator", "codes", "refits", *digits]]
    groups: dict[tuple[str, str, str, str], list[Run]] = {}
    for run in runs:
        for one in run["figures"]:
            key = (run["data"], f"`{one['estimator']}`", one["codes"], str(one["refits"]))
            groups.setdefault(key, []).append(one)
    for key, own in groups.items():
        lines.append([*key, *(spread(own, name, number) for name, number in digits.items())])
    return markdown(lines)


def main() -> int:
    """Run what is not there yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("docs/data/taken_apart.json"))
    parser.add_argument("--page", type=Path, help="fill the markers of this page")
    parser.add_argument("--commit", help="what to write down where git is not at hand")
    args = parser.parse_args()
    setting = {"refits": REFITS, "rows of a refit": REFIT_ROWS}
    record = Record(args.output, setting, describe("one by one", 1, "cpu", args.commit))
    wanted = [(language(layer, WIDTH, TARGET), seed) for layer in LAYERS for seed in SEEDS]
    for data, seed in tqdm(wanted):
        if not record.has(data=data.name, seed=seed):
            record.add(study(data, chosen_rates(data), seed))
    found = {
        "taken apart": table(record.runs),
        "taken apart provenance": provenance(
            record.content, lambda runs, _: f"{len(runs)} runs, seeds {seeds(runs)}"
        ),
    }
    publish(found, args.page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
