"""The paper's synthetic sweep again, with its own options: docs/reproduction.md.

    python -m examples.reproduce_paper                    # all rows, three seeds, on all cores
    python -m examples.reproduce_paper --device cuda      # the same on a GPU: all models at once
    python -m examples.reproduce_paper --quick            # a minute: the direction of the results
    python -m examples.reproduce_paper --page docs/reproduction.md    # and fill the page

A run is written when it ends: a sweep that was stopped goes on where it was.
"""

import argparse
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

# One fit per core. Before torch is imported, here and in the workers.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tqdm import tqdm

from examples.reproduce_paper.all_at_once import run_all_at_once
from examples.reproduce_paper.compare import compare, verdict
from examples.reproduce_paper.estimators import Setting
from examples.reproduce_paper.one_by_one import run_one_by_one
from examples.reproduce_paper.page import comparison_table, provenance, truth_table
from examples.reproduce_paper.published import ROWS
from examples.reproduce_paper.quick import STEPS, check_direction
from examples.studies.page import publish, report
from examples.studies.record import Record, describe


def main() -> int:
    """Run what is not there yet, and print the tables."""
    args = parse_args()
    stop_at = time.time() + 60 * args.limit_minutes
    if args.quick:
        return quick(args, stop_at)
    engine = "all at once" if args.device.startswith("cuda") else "one by one"
    setting = Setting(init=args.init)
    if args.steps is not None:
        setting = setting.shortened(args.steps)
    session = describe(engine, args.jobs, args.device, args.commit)
    sweep = Record(args.output, asdict(setting), session)
    run_missing(sweep, setting, args, stop_at)
    found = compare(sweep.runs)
    tables = {
        "verdict": verdict(found),
        "comparison": comparison_table(found),
        "truth": truth_table(found),
        "provenance": provenance(sweep.content),
    }
    publish(tables, args.page)
    return 0


def run_missing(sweep: Record, setting: Setting, args: argparse.Namespace, stop_at: float) -> None:
    """Train and add what is missing, until it is all there or the time is over."""
    rows = [row for row in ROWS if args.rows in row.key]
    wanted = [(row, seed) for seed in args.seeds for row in rows]
    missing = [(row, seed) for row, seed in wanted if not sweep.has(row=row.key, seed=seed)]
    if not missing:
        return
    options = {"jobs": args.jobs, "device": args.device, "stop_at": stop_at}
    if args.device.startswith("cuda"):
        records = run_all_at_once(missing, setting, **options)
    else:
        records = run_one_by_one(missing, setting, checkpoints=args.checkpoints, **options)
    for record in tqdm(records, total=len(missing)):
        sweep.add(record)


def quick(args: argparse.Namespace, stop_at: float) -> int:
    """Check directions; 1 if one of them is wrong."""
    return report(check_direction(args.jobs, args.steps or STEPS, stop_at))


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the direction of the results")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for all models at once")
    parser.add_argument("--steps", type=int, help="fewer than 50,000 shorten all phases")
    parser.add_argument("--init", default="paper", help='or "data", for all rows; not on a GPU')
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rows", default="", help='only rows with this in their key: "0.9 AEN"')
    parser.add_argument("--output", type=Path, default=Path("build/reproduction.json"))
    parser.add_argument("--page", type=Path, help="fill the markers of this page")
    parser.add_argument("--limit-minutes", type=float, default=float("inf"), help="end by then")
    parser.add_argument("--checkpoints", type=Path, help="folder: stopped runs go on, on the CPU")
    parser.add_argument("--commit", help="what to write down where git is not at hand")
    args = parser.parse_args()
    if args.device.startswith("cuda") and args.init != "paper":
        parser.error(f"--init {args.init} runs one by one, on the CPU; --device cuda takes paper.")
    return args


if __name__ == "__main__":
    sys.exit(main())
