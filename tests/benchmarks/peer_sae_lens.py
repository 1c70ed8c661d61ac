"""SAELens, through its own `SAETrainer.fit`, which asks for a batch per step."""

from typing import Any

import torch
from torch import Tensor

from .method import Method, Pause

__all__ = ["SAELens"]


class SAELens(Method):
    """TopKTrainingSAE with its defaults; no logging to wandb."""

    name, kind = "SAELens TopK", "TopK"
    does = (
        "dead-feature counts, firing frequencies, AuxK (idle: 1000-step window); gradient norm "
        "clipped to 1; codes rescaled by the norms of the atoms; default Adam"
    )
    clips = True
    package, distribution = "sae_lens", "sae-lens"
    sae: Any

    def train(self, pause: Pause) -> None:
        """Train."""
        from sae_lens import SAETrainer, TopKTrainingSAE, TopKTrainingSAEConfig
        from sae_lens.config import SAETrainerConfig

        problem = self.problem
        torch.manual_seed(problem.seed)
        sizes = {"d_in": problem.X.shape[1], "d_sae": problem.n_components}
        self.sae = TopKTrainingSAE(TopKTrainingSAEConfig(k=problem.k, **sizes))
        warm_up, decay = self.phases()
        config = SAETrainerConfig(
            total_training_samples=(problem.n_steps + 1) * self.batch_size,
            lr_warm_up_steps=warm_up,
            lr_decay_steps=decay,
            train_batch_size_samples=self.batch_size,
            lr=problem.learning_rate,
            lr_end=problem.learning_rate,
        )
        SAETrainer(cfg=config, sae=self.sae, data_provider=self.batches(pause)).fit()

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> tuple[Tensor, float]:
        """Reconstruction and L0."""
        codes = self.sae.encode(x)
        return self.sae.decode(codes), float((codes > 0).sum(1).float().mean())
