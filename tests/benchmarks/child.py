"""One training in a process of its own: its time, and the memory it takes beyond its data."""

import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .machine import ROOT, memory
from .method import Method, Stopped
from .problem import Problem
from .registry import METHODS

__all__ = ["measure", "train_in_child"]


def train_in_child(method: str, data: Path, n_steps: int, **parameters: Any) -> dict[str, Any]:
    """Run `measure` in a fresh process.

    Parameters
    ----------
    method : str
        Name in `METHODS`.
    data : Path
        File with the rows, as `numpy.save` writes it.
    n_steps : int
        Steps to train for.
    **parameters : Any
        Of the `Problem`.
    """
    spec = {"method": method, "data": str(data), "n_steps": n_steps, **parameters}
    threads = str(torch.get_num_threads())
    command = [sys.executable, "-m", "tests.benchmarks", "child", json.dumps(spec)]
    done = subprocess.run(
        [*command, "--threads", threads], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{method} failed:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure(method: str, data: str, n_steps: int, **parameters: Any) -> dict[str, Any]:
    """Train here and report.

    Returns
    -------
    dict
        "mib": peak memory beyond that before training, with the data and all libraries loaded;
        "seconds": of the whole training, set-up included; "step_seconds": of each step but the
        first.
    """
    cls = METHODS[method]
    warm_up(cls)
    problem = Problem(torch.from_numpy(np.load(data)), n_steps=n_steps, **parameters)
    before, _ = memory()
    started = time.perf_counter()
    stamps = train(cls, problem, n_steps)
    seconds = time.perf_counter() - started
    _, peak = memory()
    return {
        "mib": peak - before,
        "data_mib": problem.X.nbytes / 2**20,
        "seconds": seconds,
        "step_seconds": np.diff(stamps).tolist(),
    }


def warm_up(cls: type[Method]) -> None:
    """Train a miniature: what libraries import late, such as optimisers, is no one's training."""
    cls.load()
    train(cls, Problem(torch.randn(64, 8), n_components=16, batch_size=32, k=2, l0=2, n_steps=3), 3)


def train(cls: type[Method], problem: Problem, n_steps: int) -> list[float]:
    """Train for some steps and return the times at which they ended."""
    stamps: list[float] = []
    torch.set_float32_matmul_precision(problem.precision)

    def pause() -> None:
        stamps.append(time.perf_counter())
        if len(stamps) == n_steps:
            raise Stopped

    with suppress(Stopped):
        cls(problem).train(pause)
    return stamps
