"""What noise leaves to be found: codes on the true dictionary, all choices made by the truth.

    python -m examples.spiked.ceiling --page docs/spiked.md

Nothing is trained. Rows are coded exactly on the atoms that made them, debiased, codes below a size
dropped and the rest fitted again; the penalty and the size are those with the best F1 on these very
rows. An estimator has to find the atoms as well, and may not choose like that.
"""

import argparse
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from tqdm import tqdm

from examples.spiked.cases import Case, held_out
from examples.studies.page import markdown, provenance, publish, seeds, spread
from examples.studies.record import Record, describe
from sklearn_aensae.coding import Coding, debias, solve
from sklearn_aensae.metrics import l0, support_recovery

Array = NDArray[np.floating[Any]]
Run = dict[str, Any]

RHO, NOISE = (0.0, 0.3, 0.5, 0.7, 0.9), (0.0, 0.1, 0.3)
PENALTIES = (0.5, 0.8, 1.25, 2.0, 3.2, 5.0)
"""In units of the noise of one feature, or of the least below."""
LEAST_UNIT = 0.05
SIZES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
"""Codes below are dropped; those of the data are 1 to 3."""
N_ROWS = 1_024


def ceiling(case: Case, seed: int, n_rows: int = N_ROWS) -> Run:
    """Return the best F1 on the true dictionary, and what goes with it."""
    X, (codes, dictionary) = held_out(case.stream(seed), n_rows, case.signed)
    clean, unit = codes @ dictionary, max(case.noise_std, LEAST_UNIT)
    x, atoms = torch.tensor(X), torch.tensor(dictionary, dtype=torch.float32)
    found = [
        {
            "alpha": alpha,
            "size": size,
            "F1": support_recovery(coded, codes).f1,
            "EV": 1 - variance(X - coded @ dictionary) / variance(X),
            "EV of what is not noise": 1 - variance(clean - coded @ dictionary) / variance(clean),
            "L0": float(l0(coded)),
        }
        for alpha in (unit * multiple for multiple in PENALTIES)
        for size, coded in supports(x, atoms, alpha)
    ]
    noise = 100 * variance(X - clean) / variance(X)
    best = max(found, key=lambda one: one["F1"])
    return {"rho": case.rho, "noise_std": case.noise_std, "seed": seed, "% noise": noise, **best}


def supports(
    x: torch.Tensor, atoms: torch.Tensor, alpha: float
) -> Iterator[tuple[float, sparse.csr_array]]:
    """Yield codes of least squares on the support of the lasso, without those below each size."""
    problem = Coding(x, atoms, x.new_full((len(atoms),), alpha), 0.0)
    empty = torch.zeros(len(x), 1, dtype=torch.int64), x.new_zeros(len(x), 1)
    columns, values, _ = solve(problem, *empty, tol=1e-4)
    values = debias(problem, columns, values)
    for size in SIZES:
        if size:
            values = debias(problem, columns, values.where(values >= size, 0))
        codes = x.new_zeros(len(x), len(atoms)).scatter_add_(1, columns, values)
        yield size, sparse.csr_array(codes.numpy())


def variance(X: Array) -> float:
    """Return the variance of rows about their mean, over all features."""
    return float(X.var(axis=0, dtype=np.float64).sum())


def table(runs: list[Run]) -> str:
    """Put the means of the seeds in a table."""
    digits = {"% noise": 1, "F1": 3, "EV": 3, "EV of what is not noise": 3, "L0": 1}
    lines = [["rho", "noise", *digits, "penalty", "least code"]]
    for noise, rho in product(NOISE, RHO):
        group = [run for run in runs if (run["rho"], run["noise_std"]) == (rho, noise)]
        if group:
            cells = [f"{rho:g}", f"{noise:g}"]
            cells += [spread(group, name, number) for name, number in digits.items()]
            chosen = (sorted({run[name] for run in group}) for name in ("alpha", "size"))
            lines.append([*cells, *(", ".join(f"{one:g}" for one in some) for some in chosen)])
    return markdown(lines)


def main() -> int:
    """Run what is not there yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[100, 101, 102])
    parser.add_argument("--output", type=Path, default=Path("docs/data/spiked_ceiling.json"))
    parser.add_argument("--page", type=Path, help="fill the markers of this page")
    parser.add_argument("--commit", help="what to write down where git is not at hand")
    args = parser.parse_args()
    setting = {
        "penalties": [*PENALTIES],
        "least unit": LEAST_UNIT,
        "least codes": [*SIZES],
        "rows": N_ROWS,
    }
    record = Record(args.output, setting, describe("one by one", 1, "cpu", args.commit))
    wanted = list(product(RHO, NOISE, args.seeds))
    for rho, noise, seed in tqdm(wanted):
        if not record.has(rho=rho, noise_std=noise, seed=seed):
            record.add(ceiling(Case(rho, noise), seed))
    found = {
        "ceiling": table(record.runs),
        "ceiling provenance": provenance(
            record.content, lambda runs, _: f"{len(runs)} cases, seeds {seeds(runs)}"
        ),
    }
    publish(found, args.page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
