"""Part 1: single training steps, interleaved, in the unit of one encoder product."""

from dataclasses import asdict
from typing import Any

from .interleave import interleave
from .machine import describe
from .method import Method
from .problem import SETTINGS, Setting, make_problem
from .registry import STEPS, installed

__all__ = ["run_steps"]


def run_steps(
    setting: str | Setting,
    *,
    n_rounds: int = 12,
    precision: str = "highest",
    methods: list[type[Method]] | None = None,
) -> dict[str, Any]:
    """Time steps of all installed methods in a setting, by name or by sizes.

    Returns
    -------
    dict
        "unit_ms": encoder product in each round; "methods": a record for each, with "ms" in
        each round; "left_out": names and reasons.
    """
    name = setting if isinstance(setting, str) else "custom"
    setting = SETTINGS[setting] if isinstance(setting, str) else setting
    problem = make_problem(setting, precision=precision)
    chosen = installed(STEPS if methods is None else methods)
    left_out = {cls.name: reason for cls in chosen if (reason := cls.obstacle(problem))}
    running = [cls(problem) for cls in chosen if cls.name not in left_out]
    for method in running:
        method.load()
    unit, times = interleave(running, n_rounds)
    return {
        "part": "steps",
        "machine": describe(),
        "setting": name,
        "sizes": asdict(setting),
        "precision": precision,
        "unit_ms": [1e3 * seconds for seconds in unit],
        "methods": [record(m, [1e3 * seconds for seconds in times[m.name]]) for m in running],
        "left_out": left_out,
    }


def record(method: Method, ms: list[float]) -> dict[str, Any]:
    """Return what the tables need to know of a method."""
    rows = method.problem.X[:128]
    return {
        "name": method.name,
        "kind": method.kind,
        "does": method.does,
        "clips": method.clips,
        "version": method.version(),
        "batch_size": method.batch_size,
        "ms": ms,
        "l0": method.reconstruct(rows)[1],
    }
