"""A TopK step on a GPU over its floor, with torch's sparse products and with Triton's.

The floor is what no implementation avoids: one encoder product, and Adam's seven passes over the
parameters (reads of weight, gradient and both moments, writes of all but the gradient).
Run it with `python -m tests.benchmarks.device`.
"""

import argparse
import gc
import importlib.util
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from sklearn_aensae.kernels import matmul_precision, use_triton
from sklearn_aensae.kernels.precision import may_select_in_bfloat16

from .machine import describe
from .method import Pause, Stopped
from .ours import Pace, TopK
from .problem import Problem, Setting, make_problem

__all__ = ["main", "run_device"]

PRECISIONS = ("high", "medium")
ADAM_PASSES = 7
WARM_UP = 5
LINE = (
    "{precision}, {products}: {step_ms:.2f} ms, {over_floor:.2f} times the floor "
    "(product {product_ms:.2f} ms, Adam {adam_ms:.2f} ms)"
)


class OnDevice(TopK):
    """TopKSAE on a device, with its data there, too: no transfer of rows is timed."""

    def __init__(self, problem: Problem, device: str) -> None:
        super().__init__(problem)
        self.device = device

    def parameters(self) -> dict[str, Any]:
        """Active components, and the device."""
        return {**super().parameters(), "device": self.device}

    def train(self, pause: Pause) -> None:
        """Fit."""
        self.make_estimator([Pace(self, pause, None)]).fit(self.problem.X.to(self.device))


def run_device(setting: Setting, device: str, n_steps: int = 20) -> dict[str, Any]:
    """Measure steps and floor on a device, in milliseconds; Triton's products on CUDA only."""
    has_triton = device.startswith("cuda") and importlib.util.find_spec("triton") is not None
    products = ("torch", "triton") if has_triton else ("torch",)
    records = []
    for precision in PRECISIONS:
        problem = make_problem(setting, precision=precision, n_steps=WARM_UP + max(n_steps, 1000))
        unit, adam = product_ms(setting, device, precision), adam_ms(setting, device)
        for name in products:
            use_triton(name == "triton")
            step = step_ms(problem, device, n_steps)
            use_triton(False)
            record = {"precision": precision, "products": name, "step_ms": step}
            record |= {"product_ms": unit, "adam_ms": adam, "over_floor": step / (unit + adam)}
            print(LINE.format(**record), flush=True)
            records.append(record)
    is_cuda = device.startswith("cuda")
    return {
        "part": "device",
        "machine": describe(),
        "device": torch.cuda.get_device_name(device) if is_cuda else device,
        "sizes": asdict(setting),
        "n_steps": n_steps,
        "steps": records,
    }


def step_ms(problem: Problem, device: str, n_steps: int) -> float:
    """Mean over the steps of a real fit, its log rows included, after some to warm up."""
    # What is left of the last net would take the memory of this one.
    gc.collect()
    taken, stamps = 0, []

    def pause() -> None:
        nonlocal taken
        taken += 1
        if taken in {WARM_UP, WARM_UP + n_steps}:
            stamps.append(now(device))
        if len(stamps) == 2:
            raise Stopped

    with suppress(Stopped):
        OnDevice(problem, device).train(pause)
    return 1e3 * (stamps[1] - stamps[0]) / n_steps


def product_ms(setting: Setting, device: str, precision: str) -> float:
    """Encoder product of a batch in the float type that the precision allows, into a buffer."""
    with matmul_precision(precision):
        x = torch.randn(setting.batch_size, setting.n_features, device=device)
        weight = torch.randn(setting.n_components, setting.n_features, device=device)
        if may_select_in_bfloat16(x):
            x, weight = x.bfloat16(), weight.bfloat16()
        out = x.new_empty(len(x), len(weight))
        return call_ms(lambda: torch.mm(x, weight.t(), out=out), device)


def adam_ms(setting: Setting, device: str) -> float:
    """Adam's passes over the parameters' memory at the bandwidth of a copy."""
    weight = torch.zeros(setting.n_components, setting.n_features, device=device)
    out = torch.empty_like(weight)
    # To read and write one of two matrices of the same size is one pass over both.
    return ADAM_PASSES * call_ms(lambda: out.copy_(weight), device)


def call_ms(function: Callable[[], Any], device: str, n_calls: int = 20) -> float:
    """Mean of many calls, after some to warm up."""
    for _ in range(WARM_UP):
        function()
    started = now(device)
    for _ in range(n_calls):
        function()
    return 1e3 * (now(device) - started) / n_calls


def now(device: str) -> float:
    """Time when the device has done all it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter()


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.device",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--device", default="cuda", help="of torch")
    parser.add_argument("--n-samples", type=int, default=16_384, help="rows of data")
    parser.add_argument("--n-features", type=int, default=4_096, help="width of a row")
    parser.add_argument("--n-components", type=int, default=131_072, help="width of a code")
    parser.add_argument("--batch-size", type=int, default=4_096, help="rows of a step")
    parser.add_argument("--k", type=int, default=32, help="active components per row")
    parser.add_argument("--steps", type=int, default=20, help="that are timed")
    parser.add_argument("--json", type=Path, help="file to write")
    args = parser.parse_args(arguments)
    if args.device.startswith("cuda") and not torch.cuda.is_available():
        parser.exit(1, "There is no CUDA device here; --device cpu, with small sizes, tries it.\n")
    return args


def main(arguments: list[str] | None = None) -> None:
    """Print a line per configuration; write JSON where asked for."""
    args = parse(arguments)
    setting = Setting(args.n_samples, args.n_features, args.n_components, args.batch_size, args.k)
    result = run_device(setting, args.device, args.steps)
    print(f"{result['device']}, {setting}")
    if args.json is not None:
        args.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
