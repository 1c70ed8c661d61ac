"""Overcomplete, through its `train_sae`, which asks its loader for a batch per step."""

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import Any

import torch
from torch import Tensor

from .method import Method, Pause

__all__ = ["Overcomplete"]


class Overcomplete(Method):
    """TopKSAE with its default encoder, squared error, no monitoring."""

    name, kind = "Overcomplete TopK", "TopK"
    does = "which features were ever alive; no AuxK; gradient norm clipped to 1; default Adam"
    clips = True
    package, distribution = "overcomplete", "overcomplete"
    sae: Any

    @classmethod
    def load(cls) -> Any:
        """Import `overcomplete.sae` alone: the rest needs torchvision and an old matplotlib."""
        if "overcomplete" not in sys.modules:
            # The package as an empty shell, by which its parts are found.
            sys.modules["overcomplete"] = module_from_spec(find_spec("overcomplete"))
        return import_module("overcomplete.sae")

    def train(self, pause: Pause) -> None:
        """Train."""
        library, problem = self.load(), self.problem
        torch.manual_seed(problem.seed)
        self.sae = library.TopKSAE(problem.X.shape[1], problem.n_components, top_k=problem.k)
        optimizer = torch.optim.Adam(self.sae.parameters(), lr=problem.learning_rate)
        library.train_sae(
            self.sae,
            self.batches(pause),
            lambda x, x_hat, *others: (x - x_hat).square().mean(),
            optimizer,
            scheduler=torch.optim.lr_scheduler.LambdaLR(optimizer, self.rate),
            nb_epochs=1,
            monitoring=0,
        )

    def rate(self, step: int) -> float:
        """Factor of the learning rate in a step, counted from 0."""
        warm_up, decay = self.phases()
        return min(1.0, (step + 1) / (warm_up + 1), (self.problem.n_steps - step) / (decay + 1))

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> tuple[Tensor, float]:
        """Reconstruction and L0."""
        _, codes, reconstruction = self.sae.eval()(x)
        self.sae.train()
        return reconstruction, float((codes > 0).sum(1).float().mean())
