"""Runs on processors: one estimator each, in processes of their own."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from joblib import Parallel, delayed
from skorch.callbacks import Callback

from examples.reproduce_paper.estimators import Setting, make_estimator, make_stream
from examples.reproduce_paper.figures import figures
from examples.reproduce_paper.published import Row
from sklearn_aensae.exceptions import DivergenceError

Run = tuple[Row, int]
Record = dict[str, Any]


class OutOfTime(Exception):
    """Training was stopped because the time given to the sweep is over."""


class StopAt(Callback):
    """Stops training at a moment, in seconds since the epoch."""

    def __init__(self, moment: float) -> None:
        self._moment = moment

    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        """Look at the clock."""
        if time.time() > self._moment:
            raise OutOfTime

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: whoever goes on from a checkpoint has another moment."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Keep the moment."""


def run_one_by_one(
    runs: list[Run],
    setting: Setting,
    *,
    jobs: int,
    device: str,
    stop_at: float,
    checkpoints: Path | None = None,
) -> Iterator[Record]:
    """Yield records of runs as they end, until `stop_at`."""
    work = (
        delayed(run)(*one, setting, device, stop_at, checkpoints) for one in slowest_first(runs)
    )
    for record in Parallel(n_jobs=jobs, return_as="generator_unordered")(work):
        if record is not None:
            yield record


def slowest_first(runs: list[Run]) -> list[Run]:
    """Longest runs first, so that none is left over in the end: dense codes take longest."""
    return sorted(runs, key=lambda run: (run[0].family == "TopK", -run[0].L0))


def run(
    row: Row, seed: int, setting: Setting, device: str, stop_at: float, checkpoints: Path | None
) -> Record | None:
    """Train one row with one seed and measure it; None if there is no time left."""
    if time.time() > stop_at:
        return None
    torch.set_num_threads(1)
    stream = make_stream(row, seed, setting)
    folder = checkpoints and checkpoints / f"{row.key} {seed}".replace(" ", "-").replace("/", "-")
    sae = make_estimator(
        row, seed, setting, device=device, callbacks=[StopAt(stop_at)], checkpoint_dir=folder
    )
    started = time.perf_counter()
    try:
        sae.fit(stream)
    except OutOfTime:
        return None
    except DivergenceError:
        return {"row": row.key, "seed": seed, "diverged": True}
    seconds = time.perf_counter() - started
    X, codes = stream.held_out(setting.n_held_out)
    found = figures(
        X, sae.transform(X), sae.reconstruct(X), sae.components_, (codes, stream.dictionary)
    )
    dead = 100 * sae.n_dead_ / sae.n_components_
    return {"row": row.key, "seed": seed, **found, "dead": dead, "seconds": seconds}
