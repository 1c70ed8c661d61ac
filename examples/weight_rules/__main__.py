"""Which rule for the adaptive weights? docs/weight_rules.md.

    python -m examples.weight_rules                                # a quarter of an hour
    python -m examples.weight_rules --page docs/weight_rules.md    # the same, and fill the page
    python -m examples.weight_rules --quick                        # tiny: the path, not the result

A run is written when it ends: a study that was stopped goes on where it was.
"""

import argparse
import os
from pathlib import Path

# One fit per core. Before torch is imported, here and in the workers.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from joblib import Parallel, delayed
from tqdm import tqdm

from examples.studies.page import publish
from examples.studies.record import Record, describe
from examples.weight_rules.page import provenance, ranking, table
from examples.weight_rules.problems import PROBLEMS
from examples.weight_rules.rules import RULES
from examples.weight_rules.study import FULL, QUICK, Setting, measure, prepared

OUTPUTS = {False: Path("docs/data/weight_rules.json"), True: Path("build/weight_rules.json")}


def main() -> None:
    """Run what is not there yet, and print the tables."""
    args = parse_args()
    setting = QUICK if args.quick else FULL
    session = describe("one by one", args.jobs, "cpu", args.commit)
    record = Record(args.output or OUTPUTS[args.quick], setting.as_json(), session)
    for name in args.problems:
        run_missing(name, record, setting, args.jobs)
    tables = {"ranking": ranking(record.runs), "provenance": provenance(record.content)}
    for name in PROBLEMS:
        runs = [run for run in record.runs if run["problem"] == name]
        tables[name] = table(runs) if runs else "Not run yet."
    publish(tables, args.page)


def run_missing(name: str, record: Record, setting: Setting, jobs: int) -> None:
    """Train by all rules, with all seeds, on a data set; what is there is not run again."""
    wanted = [(rule, seed) for seed in setting.seeds for rule in RULES]
    missing = [
        (rule, seed) for rule, seed in wanted if not record.has(problem=name, rule=rule, seed=seed)
    ]
    if not missing:
        return
    problem = prepared(PROBLEMS[name](setting.budget), setting.budget.n_held_out)
    runs = (delayed(measure)(rule, problem, seed, setting) for rule, seed in missing)
    found = Parallel(n_jobs=jobs, return_as="generator_unordered")(runs)
    for run in tqdm(found, desc=name, total=len(missing)):
        record.add(run)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny: the path, not the result")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="fits at a time")
    parser.add_argument("--output", type=Path, help="the JSON that is written")
    parser.add_argument("--page", type=Path, help="fill the markers of this page")
    parser.add_argument("--problems", nargs="*", default=list(PROBLEMS), help="only these")
    parser.add_argument("--commit", help="what to write down where git is not at hand")
    return parser.parse_args()


if __name__ == "__main__":
    main()
