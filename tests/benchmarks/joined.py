"""Pre-codes of several estimators: by a product of each, and by one of all their encoders."""

import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import torch

from sklearn_aensae.kernels import Workspace, iter_pre_codes

from .machine import describe

__all__ = ["run_joined"]

N_ESTIMATORS = 4

SIZES = ((256, 256, 1_024), (1_024, 512, 1_024), (4_096, 512, 4_096))
"""Rows of a batch, features, components: the paper's, those of "several", and S."""


def run_joined(
    sizes: Sequence[tuple[int, int, int]] = SIZES, *, n_repeats: int = 40
) -> dict[str, Any]:
    """Measure what could be joined in a step of several estimators on the same batch.

    Parameters
    ----------
    sizes : sequence of (int, int, int)
        Rows, features and components.
    n_repeats : int
        How often both ways take turns.
    """
    products = [compare(*size, n_repeats) for size in sizes]
    machine = describe()
    return {
        "part": "joined", "machine": machine, "n_estimators": N_ESTIMATORS, "products": products,
    }  # fmt: skip


@torch.no_grad()
def compare(n_rows: int, n_features: int, n_components: int, n_repeats: int) -> dict[str, Any]:
    """Seconds of both ways."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n_rows, n_features, generator=generator)
    shape = (N_ESTIMATORS, n_components, n_features)
    weights, biases = torch.randn(shape, generator=generator), torch.zeros(shape[:2])
    # An estimator has memory of its own for its steps.
    apart, joined = [Workspace() for _ in range(N_ESTIMATORS)], Workspace()
    seconds: dict[str, list[float]] = {"one by one": [], "joined": []}
    for _ in range(n_repeats + 1):
        started = time.perf_counter()
        for workspace, weight, bias in zip(apart, weights, biases, strict=True):
            make(workspace, x, weight, bias)
        between = time.perf_counter()
        make(joined, x, weights.flatten(0, 1), biases.flatten())
        seconds["one by one"].append(between - started)
        seconds["joined"].append(time.perf_counter() - between)
    # The first of each pays for its memory.
    found = {way: all_[1:] for way, all_ in seconds.items()}
    return {
        "n_rows": n_rows, "n_features": n_features, "n_components": n_components, "seconds": found,
    }  # fmt: skip


def make(workspace: Workspace, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> None:
    """Make all pre-codes, block by block."""
    with workspace.step():
        deque(iter_pre_codes(x, weight, bias), maxlen=0)
