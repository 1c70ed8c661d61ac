"""Overcomplete, through its `train_sae`, which asks its loader for a batch per step."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from .method import Method, Pause

__all__ = ["Overcomplete"]


@contextmanager
def torchvision_or_nothing() -> Iterator[None]:
    """Let Overcomplete be imported without torchvision, which only its vision models need."""
    if find_spec("torchvision") is not None:
        yield
        return
    nothing = ModuleType("torchvision")
    nothing.transforms = ModuleType("torchvision.transforms")
    sys.modules["torchvision"] = nothing
    try:
        yield
    finally:
        del sys.modules["torchvision"]


class Overcomplete(Method):
    """TopKSAE with its default encoder, squared error, no monitoring."""

    name, kind = "Overcomplete TopK", "TopK"
    does = "which features were ever alive; no AuxK; gradient norm clipped to 1; default Adam"
    clips = True
    package, distribution = "overcomplete", "overcomplete"
    sae: Any

    def train(self, pause: Pause) -> None:
        """Train."""
        with torchvision_or_nothing():
            from overcomplete.sae import TopKSAE, train_sae

        problem = self.problem
        torch.manual_seed(problem.seed)
        self.sae = TopKSAE(problem.X.shape[1], problem.n_components, top_k=problem.k)
        train_sae(
            self.sae,
            self.batches(pause),
            lambda x, x_hat, *others: (x - x_hat).square().mean(),
            torch.optim.Adam(self.sae.parameters(), lr=problem.learning_rate),
            nb_epochs=1,
            monitoring=0,
        )

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> tuple[Tensor, float]:
        """Reconstruction and L0."""
        _, codes, reconstruction = self.sae.eval()(x)
        self.sae.train()
        return reconstruction, float((codes > 0).sum(1).float().mean())
