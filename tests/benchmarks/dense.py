"""The reference: the same autoencoders as plain dense autograd, written from the equations."""

from abc import abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor

from .adaptive import AdaptiveWeights
from .method import Method, Pause
from .ours import AEN, Ours, TopK, initial_weights
from .problem import Problem
from .start import Weights, sparse_start

__all__ = ["Dense", "DenseAEN", "DensePaperAEN", "DenseTopK", "SparseDenseAEN"]

SHARES = {"lr_warmup": 0.05, "lr_decay": 0.2, "lambda_warmup": 0.05, "start": 0.2, "ramp": 0.05}
"""Defaults of our estimators: phases as shares of training."""


class Dense(Method):
    """xhat = h D + b with h from (x - b) W' + c; every product is dense.

    Each step: forward, loss, backward, Adam as torch sets it up, unit-norm atoms, and the count
    of samples since a component last fired.
    """

    does = "dead-feature counts, unit-norm atoms; default Adam"
    package = distribution = "torch"
    ours: type[Ours]

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.variance = float((problem.X - problem.X.mean(0)).square().mean())

    def start(self) -> Weights:
        """Weights to start from: those of our estimator."""
        return initial_weights(self.ours, self.problem)

    @abstractmethod
    def activate(self, pre_codes: Tensor) -> Tensor:
        """Dense codes."""

    @abstractmethod
    def loss(self, x: Tensor, codes: Tensor, reconstruction: Tensor, step: int) -> Tensor:
        """What is minimised."""

    def begin(self) -> None:
        """Set up weights, optimiser and counters."""
        start = self.start()
        self.weights = {name: w.clone().requires_grad_() for name, w in start.items()}
        self.optimizer = torch.optim.Adam(self.weights.values(), lr=self.problem.learning_rate)
        self.silent_for = torch.zeros(self.problem.n_components, dtype=torch.long)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Codes and reconstruction."""
        w = self.weights
        pre_codes = (x - w["decoder_bias"]) @ w["encoder_weight"].T + w["encoder_bias"]
        codes = self.activate(pre_codes)
        return codes, codes @ w["atoms"] + w["decoder_bias"]

    def train(self, pause: Pause) -> None:
        """Train."""
        self.begin()
        batches = self.rows_in_order(pause) if self.problem.in_order else self.batches(pause)
        for step, x in enumerate(batches):
            self.step(step, x)

    def rows_in_order(self, pause: Pause) -> Iterator[Tensor]:
        """Batches in the order of the rows, as ours draws them without shuffling."""
        while True:
            for x in self.problem.X.split(self.batch_size):
                yield x
                pause()

    def step(self, step: int, x: Tensor) -> None:
        """One optimiser step."""
        self.optimizer.param_groups[0]["lr"] = self.problem.learning_rate * self.rate(step)
        codes, reconstruction = self.forward(x)
        self.last_loss = self.loss(x, codes, reconstruction, step)
        self.optimizer.zero_grad()
        self.last_loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            atoms = self.weights["atoms"]
            atoms /= torch.linalg.vector_norm(atoms, dim=1, keepdim=True).clamp(min=1e-12)
            self.silent_for += len(x)
            self.silent_for[(codes > 0).any(0)] = 0

    def phase(self, name: str) -> int:
        """Steps of a phase."""
        return round(SHARES[name] * self.problem.n_steps) if self.problem.schedules else 0

    def rate(self, step: int) -> float:
        """Factor of the learning rate in a step, counted from 0."""
        rise = (step + 1) / (self.phase("lr_warmup") + 1)
        decay = self.phase("lr_decay")
        fall = (self.problem.n_steps - step) / (decay + 1) if decay else 1.0
        return min(1.0, rise, fall)

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> tuple[Tensor, float]:
        """Reconstruction and L0."""
        codes, reconstruction = self.forward(x)
        return reconstruction, float((codes > 0).sum(1).float().mean())


class DenseTopK(Dense):
    """Squared error over its variance; AuxK, which is idle in our steps, is left out."""

    name, kind, ours = "dense TopK (autograd)", "TopK", TopK

    def activate(self, pre_codes: Tensor) -> Tensor:
        """ReLU of the k largest pre-codes of each row."""
        values, indices = pre_codes.topk(self.problem.k, dim=1)
        return torch.zeros_like(pre_codes).scatter(1, indices, torch.relu(values))

    def loss(self, x: Tensor, codes: Tensor, reconstruction: Tensor, step: int) -> Tensor:
        """Normalised squared error."""
        return (x - reconstruction).square().mean() / self.variance


class DenseAEN(Dense):
    """The adaptive elastic net, with weights by our rule."""

    name, kind, ours = "dense AEN (autograd)", "AEN", AEN
    rule = "ours"

    def begin(self) -> None:
        """Set up the adaptive weights, too."""
        super().begin()
        self.adaptive = AdaptiveWeights(
            self.problem.n_components, self.rule, self.phase("start"), self.phase("ramp")
        )

    def activate(self, pre_codes: Tensor) -> Tensor:
        """ReLU."""
        return torch.relu(pre_codes)

    def loss(self, x: Tensor, codes: Tensor, reconstruction: Tensor, step: int) -> Tensor:
        """Squared error, weighted L1 and squared L2: sums over components, means over rows."""
        weights = self.adaptive.update(codes.detach())
        share = min(1.0, (step + 1) / (self.phase("lambda_warmup") + 1))
        penalty = self.problem.lambda_1 * (weights * codes).sum(1).mean()
        penalty = penalty + self.problem.lambda_2 * codes.square().sum(1).mean()
        return (x - reconstruction).square().mean() + share * penalty


class DensePaperAEN(DenseAEN):
    """The adaptive elastic net, with weights by the authors' formula."""

    name, rule = "dense AEN (autograd, authors' formula)", "paper"


class SparseDenseAEN(DensePaperAEN):
    """The dense step where ours is sparse: the same weights, the same rows."""

    name, kind = "dense AEN (autograd, authors' formula), sparse phase", "sparse AEN"

    def start(self) -> Weights:
        """Weights as sparse as those of a trained autoencoder."""
        return sparse_start(self.problem)

    def rate(self, step: int) -> float:
        """Keep the density, as ours does."""
        return 1e-5 / self.problem.learning_rate
