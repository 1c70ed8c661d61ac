"""One configuration for all of the paper's synthetic data, one more for noise: docs/spiked.md.

    python -m examples.spiked                                   # five rho, seeds 100 to 102
    python -m examples.spiked --signed --rho 0.9                # other data; also --wide
    python -m examples.spiked --recipe SPIKED_NOISY --noise 0.1 # the one for noise
    python -m examples.spiked --page docs/spiked.md             # and fill the page
    python -m examples.spiked --quick                           # seconds: the direction

A run is written when it ends: a study that was stopped goes on where it was.
"""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from examples.spiked.cases import Case
from examples.spiked.page import oracle, provenance, results, verdict
from examples.spiked.quick import check_direction
from examples.spiked.study import SETTINGS, run
from examples.studies.page import publish, report
from examples.studies.record import Record, describe


def main() -> int:
    """Run what is not there yet, and print the tables."""
    args = parse_args()
    if args.quick:
        return report(check_direction())
    setting = SETTINGS[args.recipe]
    output = args.output or Path("docs/data") / f"{args.recipe.lower()}.json"
    record = Record(output, setting.as_json(), describe("one by one", 1, "cpu", args.commit))
    size = "wide" if args.wide else ""
    cases = [Case(rho, args.noise, args.signed, size) for rho in args.rho]
    wanted = [(case, seed) for seed in args.seeds for case in cases]
    missing = [(case, seed) for case, seed in wanted if not record.has(case=case.key, seed=seed)]
    for case, seed in tqdm(missing):
        record.add(run(case, seed, setting))
    tables = {
        "verdict": verdict(record.runs),
        "results": results(record.runs),
        "oracle": oracle(record.runs),
        "provenance": provenance(record.content),
    }
    if args.recipe != "SPIKED":
        tables = {f"{args.recipe} {name}": text for name, text in tables.items()}
    publish(tables, args.page)
    return 0


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny: the direction of the result")
    parser.add_argument("--recipe", choices=list(SETTINGS), default="SPIKED")
    parser.add_argument("--rho", type=float, nargs="+", default=[0.0, 0.3, 0.5, 0.7, 0.9])
    parser.add_argument("--seeds", type=int, nargs="+", default=[100, 101, 102])
    parser.add_argument("--noise", type=float, default=0.0, help="standard deviation")
    parser.add_argument("--signed", action="store_true", help="true codes of both signs")
    parser.add_argument("--wide", action="store_true", help="1,024 features, 8,192 atoms")
    parser.add_argument("--output", type=Path, help="docs/data/RECIPE.json if left out")
    parser.add_argument("--page", type=Path, help="fill the markers of this page")
    parser.add_argument("--commit", help="what to write down where git is not at hand")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
