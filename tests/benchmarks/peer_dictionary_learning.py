"""dictionary_learning, through the `update` of its TopKTrainer, which its own loop calls."""

import importlib
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from .method import Method, Pause
from .problem import level_widths

__all__ = ["DICTIONARY_LEARNING_VARIANTS", "DictionaryLearning"]


class DictionaryLearning(Method):
    """TopKTrainer with its defaults, but for the schedule of the learning rate."""

    name, kind = "dictionary_learning TopK", "TopK"
    does = (
        "dead-feature counts, AuxK (idle: 10 M samples); gradient norm clipped to 1; gradient "
        "along the atoms removed; unit-norm atoms; loss read every step; default Adam"
    )
    clips = True
    package, distribution = "dictionary_learning", "dictionary-learning"
    class_path = "top_k.TopKTrainer"
    trainer: Any

    def options(self) -> dict[str, Any]:
        """Parameters of the trainer besides those that all share."""
        return {"k": self.problem.k}

    def train(self, pause: Pause) -> None:
        """Train."""
        problem = self.problem
        warm_up, decay = self.phases()
        module, name = self.class_path.split(".")
        trainers = importlib.import_module(f"dictionary_learning.trainers.{module}")
        self.trainer = getattr(trainers, name)(
            steps=problem.n_steps,
            activation_dim=problem.X.shape[1],
            dict_size=problem.n_components,
            layer=0,
            lm_name="",
            lr=problem.learning_rate,
            warmup_steps=warm_up,
            decay_start=problem.n_steps - decay if decay else None,
            seed=problem.seed,
            device="cpu",
            **self.options(),
        )
        for step, x in enumerate(self.batches(pause)):
            self.trainer.update(step, x)

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> tuple[Tensor, float]:
        """Reconstruction and L0."""
        reconstruction, codes = self.trainer.ae(x, output_features=True)
        return reconstruction, float((codes > 0).sum(1).float().mean())


class DictionaryLearningBatchTopK(DictionaryLearning):
    """BatchTopKTrainer."""

    name, kind = "dictionary_learning BatchTopK", "BatchTopK"
    class_path = "batch_top_k.BatchTopKTrainer"


class DictionaryLearningMatryoshka(DictionaryLearning):
    """MatryoshkaBatchTopKTrainer, with as many levels as ours."""

    name, kind = "dictionary_learning Matryoshka", "Matryoshka"
    class_path = "matryoshka_batch_top_k.MatryoshkaBatchTopKTrainer"

    def options(self) -> dict[str, Any]:
        """Budget and shares of the levels."""
        bounds = [0, *level_widths(self.problem)]
        sizes = [stop - start for start, stop in pairwise(bounds)]
        return {**super().options(), "group_fractions": [s / bounds[-1] for s in sizes]}


class DictionaryLearningJumpReLU(DictionaryLearning):
    """JumpReluTrainer."""

    name, kind = "dictionary_learning JumpReLU", "JumpReLU"
    does = (
        "dead-feature counts; gradient norm clipped to 1; gradient along the atoms removed; "
        "unit-norm atoms; default Adam"
    )
    class_path = "jumprelu.JumpReluTrainer"

    def options(self) -> dict[str, Any]:
        """No warm-up, which would last longer than the steps that are timed."""
        return {"sparsity_warmup_steps": None}


class DictionaryLearningGated(DictionaryLearningJumpReLU):
    """GatedSAETrainer."""

    name, kind = "dictionary_learning Gated", "Gated"
    does = "gradient along the atoms removed; unit-norm atoms; default Adam"
    clips = False
    class_path = "gdm.GatedSAETrainer"


DICTIONARY_LEARNING_VARIANTS: list[type[DictionaryLearning]] = [
    DictionaryLearningBatchTopK,
    DictionaryLearningMatryoshka,
    DictionaryLearningJumpReLU,
    DictionaryLearningGated,
]
