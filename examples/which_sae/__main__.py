"""Which SAE? Every estimator on the same three data sets, tuned alike: the tables of the docs.

    python -m examples.which_sae                              # half an hour or so on two cores
    python -m examples.which_sae --page docs/which_sae.md     # the same, and fill the page
    python -m examples.which_sae --quick                      # tiny: the path, not the result

What an estimator came to on a data set is written when it is there: a run that was stopped goes on
where it was. docs/which_sae.md says how parameters are chosen.
"""

import argparse
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

# One fit per core. Before torch is imported, here and in the workers.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from joblib import Parallel, delayed
from tqdm import tqdm

from examples.studies.page import Run, provenance, publish
from examples.studies.record import Record, describe
from examples.which_sae.page import table
from examples.which_sae.problems import FULL, PROBLEMS, QUICK, Budget
from examples.which_sae.study import (
    LEARNING_RATES,
    LEARNING_RATES_WITH_PENALTY,
    N_STRENGTHS,
    SEEDS,
    study,
)
from sklearn_aensae import all_saes


def main() -> None:
    """Run what is not there yet, and print the tables."""
    args = parse_args()
    budget = QUICK if args.quick else FULL
    file = args.output or Path("build" if args.quick else "docs/data") / "which_sae.json"
    record = Record(file, setting(budget), describe("one by one", args.jobs, "cpu", args.commit))
    wanted = {name: cls for name, cls in all_saes() if name in (args.estimators or [name])}
    for problem in PROBLEMS:
        run_missing(record, problem, wanted, budget, args.jobs)
    tables = {
        problem: table([run for run in record.runs if run["problem"] == problem])
        for problem in PROBLEMS
    }
    publish({**tables, "provenance": provenance(record.content, what)}, args.page)


def setting(budget: Budget) -> dict[str, Any]:
    """Return what is the same for all runs, as JSON holds it."""
    return {
        **asdict(budget),
        "learning rates": [*LEARNING_RATES],
        "learning rates with a penalty": [*LEARNING_RATES_WITH_PENALTY],
        "strengths of a penalty": N_STRENGTHS,
        "seeds": [*SEEDS],
    }


def run_missing(
    record: Record, name: str, wanted: dict[str, Any], budget: Budget, n_jobs: int
) -> None:
    """Study the estimators on a data set that have no result yet."""
    missing = [cls for n, cls in wanted.items() if not record.has(problem=name, estimator=n)]
    if not missing:
        return
    problem = PROBLEMS[name](budget)
    jobs = (delayed(study)(cls, problem, budget) for cls in missing)
    found = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(jobs)
    for result in tqdm(found, desc=name, total=len(missing)):
        record.add({"problem": name, **result})


def what(runs: list[Run], session: dict[str, Any]) -> str:
    """Say what a session has run."""
    return f"{len(runs)} estimators on a data set each, {session['jobs']} at a time"


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny: the path, not the result")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="fits at a time")
    parser.add_argument("--output", type=Path, help="JSON of all runs")
    parser.add_argument("--page", type=Path, help="fill the markers of this page")
    parser.add_argument("--estimators", nargs="*", help="only these; all by default")
    parser.add_argument("--commit", help="what to write down where git is not at hand")
    return parser.parse_args()


if __name__ == "__main__":
    main()
