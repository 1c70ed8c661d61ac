"""The contract of a competitor: a training loop that pauses after every step."""

import importlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

from .problem import Problem

__all__ = ["Method", "Pause", "Stopped"]

Pause = Callable[[], None]


class Stopped(BaseException):
    """Raised by a pause to end a training loop; no library catches it."""


class Method(ABC):
    """One way to train on a problem.

    Parameters
    ----------
    problem : Problem
        Data and sizes.

    Attributes
    ----------
    name : str
        In the tables.
    kind : {"TopK", "AEN", "sparse AEN", "dictionary"}
        What it trains; ratios are taken within a kind.
    does : str
        What one step does besides forward, backward and optimiser.
    clips : bool
        Whether a step clips the norm of the gradient.
    package, distribution : str
        What must be installed: the name to import, and the name under which it has a version.
    most_rounds : int
        Most steps that are timed, for the very slow.
    warm_up : int
        Steps before those that are timed.
    """

    name: str
    kind: str
    does: str
    clips: bool = False
    package: str = "sklearn_aensae"
    distribution: str = "sklearn-aensae"
    most_rounds: int = 1_000_000
    warm_up: int = 3

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.batch_size = problem.batch_size

    @classmethod
    def is_installed(cls) -> bool:
        """Whether the package is there."""
        return importlib.util.find_spec(cls.package) is not None

    @classmethod
    def version(cls) -> str:
        """Version of the package."""
        return version(cls.distribution)

    @classmethod
    def load(cls) -> Any:
        """Import the package, so that no clock runs while it does."""
        return importlib.import_module(cls.package)

    @staticmethod
    def obstacle(problem: Problem) -> str | None:
        """Why the method cannot train on a problem, if so."""
        return None

    @abstractmethod
    def train(self, pause: Pause) -> None:
        """Train without end, or for `problem.n_steps`; call `pause` after every step."""

    @abstractmethod
    def reconstruct(self, x: Tensor) -> tuple[Tensor, float]:
        """Reconstruction of rows with the present weights, and the mean L0 of their codes."""

    def phases(self) -> tuple[int, int]:
        """Steps over which the learning rate of a whole fit rises and falls, as ours does."""
        n_steps = self.problem.n_steps
        return (n_steps // 20, n_steps // 5) if self.problem.schedules else (0, 0)

    def batches(self, pause: Pause) -> Iterator[Tensor]:
        """Batches in a new random order every epoch; pauses when the next one is asked for."""
        X = self.problem.X
        generator = torch.Generator().manual_seed(self.problem.seed)
        while True:
            order = torch.randperm(len(X), generator=generator)
            for rows in order.split(self.batch_size):
                yield X[rows]
                pause()
