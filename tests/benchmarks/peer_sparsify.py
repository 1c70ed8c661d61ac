"""sparsify, through its own `Trainer.fit` on a stand-in for a language model.

The trainer hooks a layer of a Hugging Face model. The stand-in has one layer, which looks up rows
of the data by their positions, so nothing is timed but the trainer.
"""

import os
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from .method import Method, Pause
from .problem import Problem

__all__ = ["Sparsify"]


class Rows(nn.Module):
    """The layer: positions of shape (1, batch) to rows of shape (1, batch, n_features)."""

    def __init__(self, X: Tensor) -> None:
        super().__init__()
        self.X = X

    def forward(self, positions: Tensor) -> Tensor:
        """Look rows up."""
        return self.X[positions]


class StandIn(nn.Module):
    """What the trainer asks of a language model."""

    def __init__(self, X: Tensor) -> None:
        super().__init__()
        self.rows = Rows(X)
        self.base_model = self
        self.device = torch.device("cpu")
        self.dummy_inputs = {"input_ids": torch.zeros(1, 1, dtype=torch.long)}

    def __setattr__(self, name: str, value: object) -> None:
        # As a module it would be its own child.
        object.__setattr__(self, name, value) if value is self else super().__setattr__(name, value)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Run the layer."""
        return self.rows(input_ids)


class Positions:
    """Data set of `n_steps` items, each the positions of the rows of one batch."""

    def __init__(self, problem: Problem, pause: Pause) -> None:
        self.n_steps = problem.n_steps
        self.pause = pause
        self.drawn = self._draw(len(problem.X), problem.batch_size, problem.seed)

    def __len__(self) -> int:
        return self.n_steps

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        """Positions of the next batch; the one before has been trained on."""
        if step:
            self.pause()
        return {"input_ids": next(self.drawn)}

    @staticmethod
    def _draw(n_samples: int, batch_size: int, seed: int) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(seed)
        while True:
            yield from torch.randperm(n_samples, generator=generator).split(batch_size)


class Sparsify(Method):
    """SparseCoder with its defaults (no AuxK), by Adam; its rate decays from the start."""

    name, kind = "sparsify TopK", "TopK"
    does = (
        "dead-feature counts; no AuxK (its default); gradient along the atoms removed; unit-norm "
        "atoms; loss read every step; sparse decoder; default Adam"
    )
    package, distribution = "sparsify", "eai-sparsify"
    trainer: Any

    @classmethod
    def load(cls) -> Any:
        """Import sparsify without its Triton decoder, which fails on a CPU."""
        os.environ.setdefault("SPARSIFY_DISABLE_TRITON", "1")
        library = super().load()
        # Its progress bar would drown the tables, and heeds no setting.
        library.trainer.tqdm = lambda **options: tqdm(**{**options, "disable": True})
        return library

    def train(self, pause: Pause) -> None:
        """Train."""
        library, problem = self.load(), self.problem
        coder = library.SparseCoderConfig(num_latents=problem.n_components, k=problem.k)
        config = library.TrainConfig(
            coder,
            batch_size=1,
            optimizer="adam",
            lr=problem.learning_rate,
            lr_warmup_steps=self.phases()[0],
            hookpoints=["rows"],
            log_to_wandb=False,
            save_every=10**9,
        )
        self.trainer = library.Trainer(config, Positions(problem, pause), StandIn(problem.X))
        self.trainer.save = pause  # at the end of training: the last step is done
        self.trainer.fit()

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> tuple[Tensor, float]:
        """Reconstruction and L0."""
        (coder,) = self.trainer.saes.values()
        output = coder(x)
        return output.sae_out, float((output.latent_acts > 0).sum(1).float().mean())
