"""Part 3: how time and memory grow, along one size at a time, with the fitted exponents."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from .child import train_in_child
from .machine import describe
from .ours import SparseAEN, TopK
from .problem import Setting, make_problem

__all__ = ["AXES", "exponent", "run_growth"]

AXES: dict[str, tuple[int, ...]] = {
    "n_samples": tuple(8_192 * 4**i for i in range(5)),
    "n_components": (1_024, 2_048, 4_096, 8_192, 16_384),
    "n_features": (64, 128, 256, 512, 1_024),
    "k": (8, 16, 32, 64, 128),
    "l0": (8, 16, 32, 64, 128),
}
"""Sizes along each axis; `n_samples` is one epoch of 64 features, the others are single steps."""

N_STEPS = 16


def exponent(sizes: list[float], values: list[float]) -> float:
    """Slope of a straight line through logarithms, by least squares."""
    slope, _ = np.polyfit(np.log(sizes), np.log(values), 1)
    return float(slope)


def run_growth(
    axes: dict[str, tuple[int, ...]] | None = None, *, n_repeats: int = 2, batch_size: int = 1_024
) -> dict[str, Any]:
    """Train along each axis, every size in a fresh process.

    Parameters
    ----------
    axes : dict of str to tuple of int, default=None
        Sizes by axis; None is `AXES`.
    n_repeats : int
        Passes over all sizes of an axis; the quickest counts.
    batch_size : int
        Rows per step.
    """
    axes = AXES if axes is None else axes
    with tempfile.TemporaryDirectory() as folder:
        records = [
            along(axis, sizes, n_repeats, batch_size, Path(folder)) for axis, sizes in axes.items()
        ]
    return {"part": "growth", "machine": describe(), "batch_size": batch_size, "axes": records}


def along(
    axis: str, sizes: tuple[int, ...], n_repeats: int, batch_size: int, folder: Path
) -> dict[str, Any]:
    """Return times and memory along one axis."""
    method = SparseAEN if axis == "l0" else TopK
    prepared = {size: prepare(axis, size, batch_size, folder) for size in sizes}
    runs: dict[int, list[dict[str, Any]]] = {size: [] for size in sizes}
    # The passes lie apart in time: a noisy stretch of the host spoils one at most.
    for _ in range(n_repeats):
        for size, (data, n_steps, parameters) in prepared.items():
            runs[size].append(train_in_child(method.name, data, n_steps, **parameters))
    seconds = [min(cost(axis, run) for run in runs[size]) for size in sizes]
    # No less than the counter can tell: a logarithm is taken.
    mib = [max(0.1, min(run["mib"] for run in runs[size])) for size in sizes]
    return {
        "axis": axis,
        "method": method.name,
        "measured": "seconds per fit" if axis == "n_samples" else "seconds per step",
        "sizes": list(sizes),
        "seconds": seconds,
        "mib": mib,
        "data_mib": [runs[size][0]["data_mib"] for size in sizes],
        "time_exponent": exponent(list(sizes), seconds),
        "memory_exponent": exponent(list(sizes), mib),
        "last_time_exponent": exponent(list(sizes[-2:]), seconds[-2:]),
    }


def cost(axis: str, run: dict[str, Any]) -> float:
    """Seconds of a whole fit, or of a median step."""
    return run["seconds"] if axis == "n_samples" else float(np.median(run["step_seconds"]))


def prepare(
    axis: str, size: int, batch_size: int, folder: Path
) -> tuple[Path, int, dict[str, Any]]:
    """Write the rows for one size; return their file, the steps, and the problem's parameters."""
    n_samples, n_features, n_steps = 8 * batch_size, 256, N_STEPS
    parameters = {"n_components": 4_096, "batch_size": batch_size}
    if axis == "n_samples":
        n_samples, n_features, n_steps = size, 64, -(-size // batch_size)
        parameters["n_components"] = 512
    elif axis == "n_features":
        n_features = size
    else:
        parameters[axis] = size
    setting = Setting(n_samples, n_features, 1, batch_size, n_atoms=512, n_active=8)
    data = folder / f"{axis}-{size}.npy"
    np.save(data, make_problem(setting).X.numpy())
    return data, n_steps, parameters
