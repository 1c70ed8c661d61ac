"""Which SAE? Every estimator on the same three data sets, tuned alike: the tables of the docs.

    python -m examples.which_sae                              # about an hour on two cores
    python -m examples.which_sae --page docs/which_sae.md     # the same, and fill the page
    python -m examples.which_sae --quick                      # tiny: the path, not the result

Results are kept as they come, a file for each estimator and data set: a run that was stopped goes
on where it was. docs/which_sae.md says how parameters are chosen.
"""

import argparse
import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

# One fit per core. Before torch is imported, here and in the workers.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from joblib import Parallel, delayed
from tqdm import tqdm

from examples.studies.page import publish
from examples.which_sae.page import table
from examples.which_sae.problems import FULL, PROBLEMS, QUICK
from examples.which_sae.study import study
from sklearn_aensae import all_saes


def main() -> None:
    """Run what is not there yet, and print the tables."""
    args = parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    for name in PROBLEMS:
        run(name, args)
    tables = {name: table(results(name, args.output)) for name in PROBLEMS}
    publish({**tables, "provenance": provenance()}, args.page)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny: the path, not the result")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="fits at a time")
    parser.add_argument("--output", type=Path, default=Path("build/which_sae"), help="for JSON")
    parser.add_argument("--page", type=Path, help="fill the markers of this page")
    parser.add_argument("--estimators", nargs="*", help="only these; all by default")
    return parser.parse_args()


def run(name: str, args: argparse.Namespace) -> None:
    """Study all estimators on a data set that have no result yet."""
    budget = QUICK if args.quick else FULL
    wanted = {n: cls for n, cls in all_saes() if not args.estimators or n in args.estimators}
    missing = {n: cls for n, cls in wanted.items() if not path(args.output, name, n).exists()}
    if not missing:
        return
    problem = PROBLEMS[name](budget)
    jobs = (delayed(study)(cls, problem, budget) for cls in missing.values())
    found = Parallel(n_jobs=args.jobs, return_as="generator_unordered")(jobs)
    for result in tqdm(found, desc=name, total=len(missing)):
        target = path(args.output, name, result["estimator"])
        partial = target.with_suffix(".partial")
        partial.write_text(json.dumps(result, indent=1) + "\n")
        partial.replace(target)


def path(folder: Path, problem: str, estimator: str) -> Path:
    """File of one estimator on one data set."""
    return folder / f"{problem.replace(' ', '_')}-{estimator}.json"


def results(name: str, folder: Path) -> list[dict[str, Any]]:
    """All results on a data set."""
    files = sorted(folder.glob(f"{name.replace(' ', '_')}-*.json"))
    return [json.loads(file.read_text()) for file in files]


def provenance() -> str:
    """Date, machine and versions."""
    names = ("torch", "scikit-learn", "numpy", "sklearn-aensae")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    return (
        f"{date}; {platform.machine()}, {os.cpu_count()} cores, one thread per fit; Python "
        f"{platform.python_version()}, {versions}."
    )


if __name__ == "__main__":
    main()
