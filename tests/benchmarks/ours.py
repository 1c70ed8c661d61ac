"""Our estimators: real `fit` calls through skorch, paced by a callback."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import torch
from sklearn.utils import get_tags
from skorch.callbacks import Callback, GradientNormClipping
from torch import Tensor

from sklearn_aensae import AdaptiveElasticNetSAE, BaseSAE, TopKSAE

from .method import Method, Pause, Stopped
from .problem import Problem
from .start import Weights, sparse_start

__all__ = ["AEN", "ClippedTopK", "Ours", "SparseAEN", "TopK", "initial_weights"]

NEVER = 10_000_000
"""Samples of silence that mean death, as in dictionary_learning and sparsify."""


class Pace(Callback):
    """Pauses after every step; keeps the net, and may replace its first weights."""

    def __init__(self, method: "Ours", pause: Pause, start: Weights | None) -> None:
        self.method = method
        self.pause = pause
        self.start = start

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Take hold of the net before its first step."""
        self.method.net = net
        if self.start is not None:
            with torch.no_grad():
                for name, parameter in parameters(net).items():
                    parameter.copy_(self.start[name])
                if not net.module_.encoder.is_centred:
                    shift = net.module_.offset - self.start["decoder_bias"]
                    net.module_.encoder.bias.add_(self.start["encoder_weight"] @ shift)

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Hand over to the next method."""
        if training:
            self.pause()


class Ours(Method):
    """A method that fits one of our estimators."""

    estimator: type[BaseSAE]
    net: Any

    def parameters(self) -> dict[str, Any]:
        """Parameters of the estimator besides those that all share."""
        return {}

    def start(self) -> Weights | None:
        """Weights to start from, if not the estimator's own."""
        return None

    def make_estimator(self, callbacks: list[Callback]) -> BaseSAE:
        """Return the estimator that `train` fits."""
        problem = self.problem
        shared: dict[str, Any] = {
            "batch_size": problem.batch_size,
            "max_steps": problem.n_steps,
            "learning_rate": problem.learning_rate,
            "dead_window": NEVER,
            "device": "cpu",
            "random_state": problem.seed,
            "callbacks": callbacks,
        }
        if problem.in_order:
            shared |= {"shuffle": False, "input_scaling": None}
        if not problem.schedules:
            shared |= {"lr_warmup": 0, "lr_decay": 0}
        if "matmul_precision" in self.estimator.__dataclass_fields__:
            shared["matmul_precision"] = problem.precision
        return self.estimator(problem.n_components, **(shared | self.parameters()))

    def train(self, pause: Pause) -> None:
        """Fit."""
        clipping = [GradientNormClipping(1.0)] if self.clips else []
        sae = self.make_estimator([*clipping, Pace(self, pause, self.start())])
        X = self.problem.X.numpy()
        # What maps rows to other rows maps them to themselves.
        sae.fit(X, X if get_tags(sae).target_tags.required else None)

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> tuple[Tensor, float]:
        """Reconstruction, in evaluation mode, and L0."""
        output = self.net.module_.eval()(x)
        self.net.module_.train()
        return output.reconstruction, float(output.codes.l0())


class TopK(Ours):
    """TopKSAE."""

    name, kind = "TopKSAE (ours)", "TopK"
    does = "dead-feature counts, AuxK (idle), unit-norm atoms, NaN guard, log; fused Adam"
    estimator = TopKSAE

    def parameters(self) -> dict[str, Any]:
        """Active components."""
        return {"k": self.problem.k}


class ClippedTopK(TopK):
    """TopKSAE with the gradient clipping of other trainers."""

    name = "TopKSAE (ours), clipping"
    does = f"{TopK.does}; gradient norm clipped to 1"
    clips = True


class AEN(Ours):
    """AdaptiveElasticNetSAE from its own start: dense at first."""

    name, kind = "AdaptiveElasticNetSAE (ours)", "AEN"
    does = "dead-feature counts, adaptive weights, unit-norm atoms, NaN guard, log; fused Adam"
    estimator = AdaptiveElasticNetSAE

    def parameters(self) -> dict[str, Any]:
        """Strengths; without schedules, the adaptive weights act from the first step."""
        strengths: dict[str, Any] = {
            "lambda_1": self.problem.lambda_1,
            "lambda_2": self.problem.lambda_2,
        }
        still = {"lambda_warmup": 0, "adaptation_start": 0, "adaptation_ramp": 0}
        return strengths if self.problem.schedules else strengths | still


class SparseAEN(AEN):
    """AdaptiveElasticNetSAE in its sparse phase."""

    name, kind = "AdaptiveElasticNetSAE (ours), sparse phase", "sparse AEN"
    does = f"{AEN.does}; starts sparse and stays so by a learning rate of 1e-5"

    def start(self) -> Weights:
        """Weights as sparse as those of a trained autoencoder."""
        return sparse_start(self.problem)

    def parameters(self) -> dict[str, Any]:
        """Strengths, and a learning rate that keeps the density."""
        return {**super().parameters(), "learning_rate": 1e-5}


def parameters(net: Any) -> Mapping[str, Tensor]:
    """Weights of a net by the names of `Weights`."""
    module = net.module_
    return {
        "encoder_weight": module.encoder.weight,
        "encoder_bias": module.encoder.bias,
        "atoms": module.decoder.atoms,
        "decoder_bias": module.decoder.bias,
    }


def initial_weights(method: type[Ours], problem: Problem) -> Weights:
    """Weights from which the fit of a method starts."""
    found: Weights = {}

    class Capture(Callback):
        """Copies the weights and ends the training before its first step."""

        def on_train_begin(self, net: Any, **kwargs: Any) -> None:
            found.update({name: p.detach().clone() for name, p in parameters(net).items()})
            raise Stopped

    with suppress(Stopped):
        method(problem).make_estimator([Capture()]).fit(problem.X.numpy())
    return found
