"""Every estimator from a fair start, on the paper's data and a language model's: the tables.

    python -m examples.fair_comparison                      # rho 0, .5 and .9, all estimators
    python -m examples.fair_comparison --data lm            # two layers, two widths, four L0
    python -m examples.fair_comparison --page docs/fair_comparison.md    # and fill the page
    python -m examples.fair_comparison --quick              # seconds: the direction

What an estimator came to on a data set is written when it is there: a study that was stopped goes
on where it was. docs/fair_comparison.md says what is fair about it.
"""

import argparse
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

# One fit per core. Before torch is imported, here and in the workers.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from joblib import Parallel, delayed
from tqdm import tqdm

from examples.fair_comparison.arms import ARMS, LEARNING_RATES, MIDDLE_RATE, ON_LANGUAGE
from examples.fair_comparison.front import front
from examples.fair_comparison.page import provenance, tables
from examples.fair_comparison.problems import DATA, LM_BUDGET, SPIKED_BUDGET, TUNED_AT, Data
from examples.fair_comparison.quick import check_direction
from examples.fair_comparison.study import compare
from examples.studies.page import publish, report
from examples.studies.record import Record, describe
from examples.which_sae.study import SEEDS


def setting() -> dict[str, Any]:
    """Return what is the same for all runs, as JSON holds it."""
    return {
        "spiked": asdict(SPIKED_BUDGET),
        "lm": asdict(LM_BUDGET),
        "learning rates": [*LEARNING_RATES],
        "learning rate of exact codes": MIDDLE_RATE,
        "L0 that learning rates are chosen at": TUNED_AT,
        "seeds": [*SEEDS],
    }


def main() -> int:
    """Run what is not there yet, and print the tables."""
    args = parse_args()
    if args.quick:
        return report(check_direction())
    session = describe("one by one", args.jobs, "cpu", args.commit)
    record = Record(args.output, setting(), session)
    run_missing(record, args)
    groups = list(dict.fromkeys(data.group for kind in DATA.values() for data in kind))
    runs = [run for run in record.runs if run["not default"] == ARMS[run["estimator"]].extra]
    found = {"front": front(runs, groups), **tables(runs, groups)}
    found["provenance"] = provenance(record.content)
    publish(found, args.page)
    return 0


def run_missing(record: Record, args: argparse.Namespace) -> None:
    """Compare the arms that are not there, a data set after the other."""
    arms = args.estimators or (ON_LANGUAGE if args.data == "lm" else list(ARMS))
    wanted = [data for data in DATA[args.data] if args.only in data.name]
    # What gives its learning rates to others comes first.
    for is_first in (True, False):
        stage = [data for data in wanted if (data.tuned_on is None) == is_first]
        pairs = [(data, arm) for data in stage for arm in arms]
        missing = [
            (args.data, data.name, arm, tuned(record, data, arm))
            for data, arm in pairs
            if not record.has(problem=data.name, **identity(arm))
        ]
        jobs = (delayed(work)(*one) for one in missing)
        found = Parallel(n_jobs=args.jobs, return_as="generator_unordered")(jobs)
        for one in tqdm(found, total=len(missing), desc="tuned here" if is_first else "others"):
            record.add(one)


def identity(arm: str) -> dict[str, Any]:
    """Return what tells the runs of an arm from those of others, and of what it has been."""
    return {"estimator": arm, "not default": ARMS[arm].extra}


def tuned(record: Record, data: Data, arm: str) -> dict[str, Any] | None:
    """Return the run whose learning rate is taken; None to choose it here.

    Raises
    ------
    ValueError
        If it is not there.
    """
    if data.tuned_on is None:
        return None
    run = record.find(problem=data.tuned_on, **identity(arm))
    if run is None:
        raise ValueError(
            f"{data.name} takes the learning rate of {data.tuned_on!r}: run that first."
        )
    return run


def work(kind: str, name: str, arm: str, before: dict[str, Any] | None) -> dict[str, Any]:
    """Compare one arm on one data set, in a process of its own."""
    return compare(ARMS[arm], next(data for data in DATA[kind] if data.name == name), before)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny: the direction of the result")
    parser.add_argument("--data", choices=list(DATA), default="spiked")
    parser.add_argument("--only", default="", help='data sets with this in their name: "8x"')
    parser.add_argument("--estimators", nargs="*", choices=list(ARMS), help="only these")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="fits at a time")
    parser.add_argument("--output", type=Path, default=Path("docs/data/fair_comparison.json"))
    parser.add_argument("--page", type=Path, help="fill the markers of this page")
    parser.add_argument("--commit", help="what to write down where git is not at hand")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
