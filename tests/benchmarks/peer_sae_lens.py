"""SAELens, through its own `SAETrainer.fit`, which asks for a batch per step."""

from typing import Any

import torch
from torch import Tensor

from .method import Method, Pause
from .problem import level_widths

__all__ = ["SAELENS_VARIANTS", "SAELens"]


class SAELens(Method):
    """TopKTrainingSAE with its defaults; no logging to wandb."""

    name, kind = "SAELens TopK", "TopK"
    does = (
        "dead-feature counts, firing frequencies, AuxK (idle: 1000-step window); gradient norm "
        "clipped to 1; codes rescaled by the norms of the atoms; default Adam"
    )
    clips = True
    package, distribution = "sae_lens", "sae-lens"
    architecture = "TopK"
    sae: Any

    def options(self) -> dict[str, Any]:
        """Fields of the architecture's configuration besides the sizes."""
        return {"k": self.problem.k}

    def train(self, pause: Pause) -> None:
        """Train."""
        import sae_lens
        from sae_lens import SAETrainer
        from sae_lens.config import SAETrainerConfig

        problem = self.problem
        torch.manual_seed(problem.seed)
        name = f"{self.architecture}TrainingSAE"
        config = getattr(sae_lens, f"{name}Config")
        sizes = {"d_in": problem.X.shape[1], "d_sae": problem.n_components}
        self.sae = getattr(sae_lens, name)(config(**sizes, **self.options()))
        warm_up, decay = self.phases()
        training = SAETrainerConfig(
            total_training_samples=(problem.n_steps + 1) * self.batch_size,
            lr_warm_up_steps=warm_up,
            lr_decay_steps=decay,
            train_batch_size_samples=self.batch_size,
            lr=problem.learning_rate,
            lr_end=problem.learning_rate,
        )
        SAETrainer(cfg=training, sae=self.sae, data_provider=self.batches(pause)).fit()

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> tuple[Tensor, float]:
        """Reconstruction and L0."""
        codes = self.sae.encode(x)
        return self.sae.decode(codes), float((codes > 0).sum(1).float().mean())


class SAELensBatchTopK(SAELens):
    """BatchTopKTrainingSAE."""

    name, kind = "SAELens BatchTopK", "BatchTopK"
    architecture = "BatchTopK"


class SAELensMatryoshka(SAELens):
    """MatryoshkaBatchTopKTrainingSAE, with as many levels as ours."""

    name, kind = "SAELens Matryoshka", "Matryoshka"
    architecture = "MatryoshkaBatchTopK"

    def options(self) -> dict[str, Any]:
        """Budget and widths."""
        return {**super().options(), "matryoshka_widths": level_widths(self.problem)}


class SAELensJumpReLU(SAELens):
    """JumpReLUTrainingSAE."""

    name, kind = "SAELens JumpReLU", "JumpReLU"
    does = "dead-feature counts, firing frequencies; gradient norm clipped to 1; default Adam"
    architecture = "JumpReLU"

    def options(self) -> dict[str, Any]:
        """Nothing: the cost of a dense step does not depend on strengths."""
        return {}


class SAELensGated(SAELensJumpReLU):
    """GatedTrainingSAE."""

    name, kind = "SAELens Gated", "Gated"
    architecture = "Gated"


SAELENS_VARIANTS: list[type[SAELens]] = [
    SAELensBatchTopK, SAELensMatryoshka, SAELensJumpReLU, SAELensGated
]  # fmt: skip
