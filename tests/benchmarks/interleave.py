"""The measuring core: training loops take turns, step by step, in one process.

Every loop runs in a thread of its own that is blocked but for its turn, so exactly one works at
a time and all suffer alike from a noisy host. The time of a step is that from one hand-over to
the next: it holds everything a loop does per step, the drawing of the batch included.
"""

import random
import threading
import time
from collections.abc import Callable

import torch

from .method import Method, Stopped

__all__ = ["Stepper", "interleave", "time_product"]


PAUSE = 0.05
"""Seconds before each turn: threads of the last one's libraries, such as OpenBLAS's, go on spinning
for a while when there is nothing left to do, on the cores that the next one needs."""


class Stepper:
    """Runs a method's training loop one step at a time, in a thread of its own.

    Parameters
    ----------
    method : Method
        The training loop.
    """

    def __init__(self, method: Method) -> None:
        self.method = method
        self._go = threading.Semaphore(0)
        self._done = threading.Semaphore(0)
        self._stopping = False
        self._finished = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=method.name, daemon=True)
        self._thread.start()

    def step(self) -> float:
        """Let the loop take one step and return its seconds; the first one includes set-up."""
        # Some libraries set the precision for the whole process when they begin to train.
        torch.set_float32_matmul_precision(self.method.problem.precision)
        started = time.perf_counter()
        self._go.release()
        self._done.acquire()
        seconds = time.perf_counter() - started
        if self._error is not None:
            raise RuntimeError(f"{self.method.name} failed") from self._error
        if self._finished:
            raise RuntimeError(f"{self.method.name} ended after problem.n_steps steps")
        return seconds

    def stop(self) -> None:
        """End the loop and its thread."""
        self._stopping = True
        self._go.release()
        self._thread.join()

    def _run(self) -> None:
        self._go.acquire()
        try:
            if not self._stopping:
                self.method.train(self._pause)
        except Stopped:
            pass
        except Exception as error:
            self._error = error
        self._finished = True
        self._done.release()

    def _pause(self) -> None:
        self._done.release()
        self._go.acquire()
        if self._stopping:
            raise Stopped


def time_product(method: Method) -> Callable[[], float]:
    """Return a clock of the unit of all costs: one encoder product into a buffer, in seconds."""
    problem = method.problem
    x = problem.X[: problem.batch_size]
    weights = torch.randn(problem.X.shape[1], problem.n_components)
    buffer = torch.empty(len(x), problem.n_components)

    def measure() -> float:
        torch.set_float32_matmul_precision(problem.precision)
        started = time.perf_counter()
        torch.mm(x, weights, out=buffer)
        return time.perf_counter() - started

    measure()
    return measure


def interleave(
    methods: list[Method], n_rounds: int, warm_up: int | None = None
) -> tuple[list[float], dict[str, list[float]]]:
    """Time `n_rounds` steps of each method in turn, after as many as it takes to warm up.

    Returns
    -------
    unit : list of float
        Seconds of the encoder product in each round.
    times : dict of str to list of float
        Seconds of a step of each method in each round; fewer for methods with `most_rounds`.
    """
    steppers = {method.name: Stepper(method) for method in methods}
    product, unit = time_product(methods[0]), []
    times: dict[str, list[float]] = {name: [] for name in steppers}
    try:
        for method, stepper in zip(methods, steppers.values(), strict=True):
            least = method.warm_up if warm_up is None else warm_up
            for _ in range(min(least, method.most_rounds - 1)):
                stepper.step()
        shuffled = random.Random(0)
        for i in range(n_rounds):
            time.sleep(PAUSE)
            unit.append(product())
            # Nobody always follows the same neighbour.
            for name in shuffled.sample(list(steppers), len(steppers)):
                if i < steppers[name].method.most_rounds:
                    time.sleep(PAUSE)
                    times[name].append(steppers[name].step())
    finally:
        for stepper in steppers.values():
            stepper.stop()
    return unit, times
