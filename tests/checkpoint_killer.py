"""Trains in child processes that are killed at random; `test_checkpoint.py` runs it.

    python checkpoint_killer.py CLASS FOLDER SEED

A process of its own, warmed up and with one thread, so that it can fork: each child costs no
import. Writes the uninterrupted result to FOLDER/reference and those that were killed and
resumed to FOLDER/resumed-0, ..., and prints what happened as JSON.
"""

import json
import os
import random
import signal
import sys
import time
import traceback
from functools import partial
from pathlib import Path

import pytest
import torch
from helpers import CrashAt, make_data

import sklearn_aensae

N_KILLS, N_KILLS_WHILE_WRITING = 20, 10
PARAMS = {
    "AdaptiveElasticNetSAE": {"lambda_1": 0.02, "ema_beta": 0.99},
    # A short window, so that features are dead at all times and AuxK has something to do.
    "TopKSAE": {"k": 2, "dead_window": 200},
}


def train(name, result, checkpoint_dir=None):
    """Fit and save; what every child does."""
    sae = getattr(sklearn_aensae, name)(
        n_components=48,
        batch_size=30,
        max_steps=1000,
        log_interval=37,
        validation_fraction=0.1,
        random_state=0,
        checkpoint_dir=checkpoint_dir,
        checkpoint_interval=11,
        **PARAMS[name],
    )
    sae.fit(make_data(400, 12)).save(result)


def fork(crash_after, *args):
    """Start a child that trains, or that kills itself while it writes; return its id."""
    child = os.fork()
    if child:
        return child
    try:
        if crash_after is not None:
            end = partial(os.kill, os.getpid(), signal.SIGKILL)
            CrashAt(pytest.MonkeyPatch(), crash_after, end)
        train(*args)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def finish(child):
    """Wait for a child; return whether it finished, False if it was killed."""
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return False
    if os.WEXITSTATUS(status):
        sys.exit("a child failed")
    return True


def main(name, folder, seed):
    """Kill children until enough have died, at random times and then while they write."""
    rng = random.Random(seed)
    # What torch and skorch import late is imported here, once, and not in every child.
    torch.set_num_threads(1)
    getattr(sklearn_aensae, name)(4, max_steps=2).fit(make_data(20, 4))
    started = time.perf_counter()
    assert finish(fork(None, name, folder / "reference"))
    duration = time.perf_counter() - started
    kills, rounds, steps = {"by time": 0, "while writing": 0}, 0, []
    while True:
        checkpoints = folder / f"checkpoints-{rounds}"
        enough = kills["while writing"] >= N_KILLS_WHILE_WRITING
        writing = kills["by time"] >= N_KILLS
        crash_after = rng.randrange(40) if writing and not enough else None
        child = fork(crash_after, name, folder / f"resumed-{rounds}", checkpoints)
        if not enough and not writing:
            time.sleep(rng.uniform(0, duration / 8))
            os.kill(child, signal.SIGKILL)
        if finish(child):
            rounds += 1
            if enough:
                break
        else:
            kills["while writing" if writing else "by time"] += 1
            steps.append(max((p.name for p in checkpoints.glob("step-*")), default=""))
    print(json.dumps({"seconds": duration, "kills": kills, "rounds": rounds, "steps": steps}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
