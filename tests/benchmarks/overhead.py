"""The engine's own overhead: time in `fit` outside the step function of the net."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sklearn_aensae.training import Batches, SAENet

from .machine import describe
from .ours import AEN, Ours, TopK
from .problem import SETTINGS, Setting, make_problem

__all__ = ["run_overhead"]


@contextmanager
def clocks() -> Iterator[tuple[list[float], list[float]]]:
    """Collect the seconds of every training step of a net, and of every drawing of a batch."""
    steps: list[float] = []
    draws: list[float] = []
    train_step, batches = SAENet.train_step, Batches.__iter__

    def timed_step(net: SAENet, *args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        step = train_step(net, *args, **kwargs)
        steps.append(time.perf_counter() - started)
        return step

    def timed_batches(self: Batches) -> Iterator[Any]:
        drawn, end = batches(self), object()
        while True:
            started = time.perf_counter()
            batch = next(drawn, end)
            draws.append(time.perf_counter() - started)
            if batch is end:
                return
            yield batch

    SAENet.train_step, Batches.__iter__ = timed_step, timed_batches
    try:
        yield steps, draws
    finally:
        SAENet.train_step, Batches.__iter__ = train_step, batches


def run_overhead(
    settings: dict[str, tuple[Setting, int]] | None = None,
) -> dict[str, Any]:
    """Measure fits in the main thread, after their first step.

    Parameters
    ----------
    settings : dict of str to (Setting, int), default=None
        Sizes and steps by name; None is S and the tiny model.
    """
    if settings is None:
        settings = {"S": (SETTINGS["S"], 40), "tiny": (SETTINGS["tiny"], 2_000)}
    records = []
    for name, (setting, n_steps) in settings.items():
        for cls in (TopK, AEN):
            records.append({"setting": name, **measure(cls, setting, n_steps)})
    return {"part": "overhead", "machine": describe(), "fits": records}


def measure(cls: type[Ours], setting: Setting, n_steps: int) -> dict[str, Any]:
    """Return means over the steps of one fit."""
    stamps: list[float] = []
    method = cls(make_problem(setting, n_steps=n_steps, schedules=True))
    with clocks() as (steps, draws):
        started = time.perf_counter()
        method.train(lambda: stamps.append(time.perf_counter()))
        seconds = time.perf_counter() - started
    # Means, not medians: the ends of epochs and rows of the log come in few steps.
    total, inside = stamps[-1] - stamps[0], sum(steps[1:])
    return {
        "name": method.name,
        "n_steps": n_steps,
        "step_ms": 1e3 * inside / (n_steps - 1),
        "overhead_ms": 1e3 * (total - inside) / (n_steps - 1),
        "draw_ms": 1e3 * sum(draws[1:]) / (n_steps - 1),
        "overhead_share": (total - inside) / total,
        "set_up_seconds": stamps[0] - started - steps[0],
        "seconds": seconds,
    }
