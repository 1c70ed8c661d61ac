"""Command line of the benchmark: `python -m tests.benchmarks --help`."""

import argparse
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

# Before any library is imported: bars of other trainers would drown the tables.
os.environ.setdefault("TQDM_DISABLE", "1")

import torch
from sklearn.exceptions import ConvergenceWarning

from .child import measure
from .encoding import run_encoding
from .exact import run_exact
from .extraction import run_extraction
from .growth import AXES, run_growth
from .joined import run_joined
from .memory import run_memory
from .overhead import run_overhead
from .problem import SETTINGS, Setting
from .quality import DATA, run_quality
from .registry import FITS
from .report import key, render, write_page
from .several import run_several
from .steps import run_steps
from .variants import run_variants

SMOKE = Setting(2_048, 32, 128, 128, k=8, n_atoms=64, n_active=4)
PRECISIONS = ("highest", "high", "medium")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--threads", type=int, default=os.cpu_count(), help="of torch")
    common.add_argument("--out", type=Path, default=Path("build/benchmarks"), help="for JSON")
    common.add_argument("--quick", action="store_true", help="tiny sizes: the path, no result")
    parts = parser.add_subparsers(dest="part", required=True)
    steps = parts.add_parser("steps", parents=[common], help="1: single steps, interleaved")
    steps.add_argument("--setting", choices=SETTINGS, default="S")
    steps.add_argument("--rounds", type=int, default=12)
    steps.add_argument("--precision", choices=PRECISIONS, default="highest")
    variants = parts.add_parser("variants", parents=[common], help="1: steps of all estimators")
    variants.add_argument("--setting", choices=SETTINGS, default="S")
    variants.add_argument("--rounds", type=int, default=8)
    memory = parts.add_parser("memory", parents=[common], help="1: peak memory of each method")
    memory.add_argument("--setting", choices=SETTINGS, default="S")
    parts.add_parser("overhead", parents=[common], help="1: what our engine adds to a step")
    encoding = parts.add_parser("encoding", parents=[common], help="1: many rows to CSR")
    encoding.add_argument("--rows", type=int, default=1_000_000)
    parts.add_parser("exact", parents=[common], help="1: exact codes, beside peers")
    parts.add_parser("extraction", parents=[common], help="1: a language model's activations")
    parts.add_parser("several", parents=[common], help="2: several fits from one pass")
    parts.add_parser("joined", parents=[common], help="2: one product for several encoders")
    quality = parts.add_parser("quality", parents=[common], help="2: whole fits")
    quality.add_argument("--data", choices=DATA, default="synthetic")
    quality.add_argument("--steps", type=int, default=600)
    quality.add_argument("--kind", choices=("TopK", "AEN"), help="only these methods")
    quality.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="parameters of the Problem"
    )
    parts.add_parser("growth", parents=[common], help="3: time and memory over sizes")
    parts.add_parser("all", parents=[common], help="everything that docs/performance.md shows")
    child = parts.add_parser("child", parents=[common], help="used by other parts")
    child.add_argument("spec")
    report = parts.add_parser("report", help="tables from JSON files")
    report.add_argument("results", type=Path, nargs="+")
    report.add_argument("--page", type=Path, help="fill the markers of this page")
    return parser.parse_args()


def main() -> None:
    """Run a part; print its tables and write its JSON."""
    args = parse()
    if args.part == "report":
        report(args)
        return
    # Before the work, not after it: what is in the way is known now.
    args.out.mkdir(parents=True, exist_ok=True)
    if args.part == "all":
        run_all(args)
        return
    torch.set_num_threads(args.threads)
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    if args.part == "child":
        print(json.dumps(measure(**json.loads(args.spec))))
        return
    result = RUNS[args.part](args)
    path = args.out / f"{key(result)}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\n{key(result)}\n\n{render(result)}\n\n{path}", flush=True)


def report(args: argparse.Namespace) -> None:
    """Print tables, or write them into a page."""
    if args.page is not None:
        write_page(args.page, args.results)
        return
    for path in args.results:
        result = json.loads(path.read_text())
        print(f"{key(result)}\n\n{render(result)}\n")


def steps(args: argparse.Namespace) -> dict[str, Any]:
    """Run one setting."""
    setting = SMOKE if args.quick else args.setting
    return run_steps(setting, n_rounds=args.rounds, precision=args.precision)


def variants(args: argparse.Namespace) -> dict[str, Any]:
    """Run one setting."""
    return run_variants(SMOKE if args.quick else args.setting, n_rounds=args.rounds)


def memory(args: argparse.Namespace) -> dict[str, Any]:
    """Run one setting."""
    return run_memory(SMOKE if args.quick else args.setting)


def overhead(args: argparse.Namespace) -> dict[str, Any]:
    """Run S and the tiny model."""
    return run_overhead({"tiny": (SETTINGS["tiny"], 200)} if args.quick else None)


def encoding(args: argparse.Namespace) -> dict[str, Any]:
    """Encode."""
    if args.quick:
        return run_encoding(2_000, n_features=16, n_components=64, l0=4)
    return run_encoding(args.rows)


def exact(args: argparse.Namespace) -> dict[str, Any]:
    """Code."""
    if args.quick:
        return run_exact(sizes=((16, 64),), n_steps=30, n_repeats=1)
    return run_exact()


def extraction(args: argparse.Namespace) -> dict[str, Any]:
    """Extract."""
    return run_extraction(8, n_rounds=1) if args.quick else run_extraction()


def quality(args: argparse.Namespace) -> dict[str, Any]:
    """Run one kind of data."""
    if args.quick:
        sizes = {"n_steps": 30, "n_train": 2_000, "n_test": 500, "batch_size": 128}
        return run_quality(args.data, **sizes)
    given = {name: json.loads(value) for name, value in (pair.split("=") for pair in args.set)}
    if args.kind:
        given["methods"] = [cls for cls in FITS if cls.kind == args.kind]
    return run_quality(args.data, n_steps=args.steps, **given)


def several(args: argparse.Namespace) -> dict[str, Any]:
    """Fit together and one by one."""
    if args.quick:
        sizes = {"n_features": 16, "n_components": 32, "batch_size": 128, "n_texts": 1}
        return run_several(2_000, **sizes, n_steps=10, n_repeats=1)
    return run_several()


def joined(args: argparse.Namespace) -> dict[str, Any]:
    """Multiply."""
    return run_joined([(64, 16, 32)], n_repeats=2) if args.quick else run_joined()


def growth(args: argparse.Namespace) -> dict[str, Any]:
    """Run all axes."""
    if args.quick:
        return run_growth({"n_samples": (512, 2_048), "k": (4, 8)}, n_repeats=1, batch_size=128)
    return run_growth(AXES)


RUNS = {
    "steps": steps,
    "variants": variants,
    "memory": memory,
    "overhead": overhead,
    "encoding": encoding,
    "exact": exact,
    "extraction": extraction,
    "quality": quality,
    "several": several,
    "joined": joined,
    "growth": growth,
}
ALL = (
    "steps --setting S",
    "steps --setting S --precision medium",
    "steps --setting M --rounds 8",
    "steps --setting wide --rounds 6",
    "variants",
    "memory",
    "overhead",
    "encoding",
    "exact",
    "extraction",
    "quality --data large --kind AEN --steps 500 --set batch_size=2048",
    "quality --data synthetic",
    "quality --data lm",
    "several",
    "joined",
    "growth",
)


def run_all(args: argparse.Namespace) -> None:
    """Run each part in a process of its own: some libraries never give their trainers back."""
    common = ["--threads", str(args.threads), "--out", str(args.out)]
    common += ["--quick"] if args.quick else []
    for part in ALL:
        command = [sys.executable, "-m", "tests.benchmarks", *part.split(), *common]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
