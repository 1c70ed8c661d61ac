"""dictionary_learning, through the `update` of its TopKTrainer, which its own loop calls."""

from typing import Any

import torch
from torch import Tensor

from .method import Method, Pause

__all__ = ["DictionaryLearning"]


class DictionaryLearning(Method):
    """TopKTrainer with its defaults, but for the schedule of the learning rate."""

    name, kind = "dictionary_learning TopK", "TopK"
    does = (
        "dead-feature counts, AuxK (idle: 10 M samples); gradient norm clipped to 1; gradient "
        "along the atoms removed; unit-norm atoms; loss read every step; default Adam"
    )
    clips = True
    package, distribution = "dictionary_learning", "dictionary-learning"
    trainer: Any

    def train(self, pause: Pause) -> None:
        """Train."""
        from dictionary_learning.trainers.top_k import TopKTrainer

        problem = self.problem
        warm_up, decay = self.phases()
        self.trainer = TopKTrainer(
            steps=problem.n_steps,
            activation_dim=problem.X.shape[1],
            dict_size=problem.n_components,
            k=problem.k,
            layer=0,
            lm_name="",
            lr=problem.learning_rate,
            warmup_steps=warm_up,
            decay_start=problem.n_steps - decay if decay else None,
            seed=problem.seed,
            device="cpu",
        )
        for step, x in enumerate(self.batches(pause)):
            self.trainer.update(step, x)

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> tuple[Tensor, float]:
        """Reconstruction and L0."""
        reconstruction, codes = self.trainer.ae(x, output_features=True)
        return reconstruction, float((codes > 0).sum(1).float().mean())
