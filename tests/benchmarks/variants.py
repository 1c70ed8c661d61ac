"""Single steps of every estimator, with the peers' forms of the same methods."""

from typing import Any

from sklearn_aensae import BaseSAE, all_saes
from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.modules.activations.batchwise import Batchwise
from sklearn_aensae.modules.activations.elementwise import Elementwise

from .method import Method
from .ours import Ours
from .problem import Setting
from .registry import VARIANT_PEERS
from .start import Weights, sparse_start
from .steps import run_steps

__all__ = ["OURS", "Variant", "run_variants", "variant"]


PLAN = Plan(n_features=1, n_components=1, n_samples=1, n_steps=1, variance=1.0)
"""Any will do to ask for the kind of an activation."""


class Variant(Ours):
    """One of our estimators in the phase in which it spends most of its training.

    What is dense at first starts as sparse as a trained autoencoder and stays so by a learning
    rate of 1e-5; what has a budget starts as it always does. Where a budget is one of a whole
    batch, the guess of which codes may be among the largest takes some batches to come near.
    """

    does = "dead-feature counts, NaN guard, log; fused Adam"

    @classmethod
    def is_dense_at_first(cls) -> bool:
        """Whether the number of active components is left to training."""
        return isinstance(cls.estimator()._make_activation(PLAN), Elementwise)

    def start(self) -> Weights | None:
        """Sparse weights, where the estimator's own are not."""
        return sparse_start(self.problem) if self.is_dense_at_first() else None

    def parameters(self) -> dict[str, Any]:
        """What the problem says of the parameters that the estimator has; no warm-up."""
        problem = self.problem
        given = {"k": problem.k, "lambda_1": problem.lambda_1, "lambda_2": problem.lambda_2}
        given |= dict.fromkeys(("lambda_warmup", "adaptation_start", "adaptation_ramp"), 0)
        # The bias of a sparse start is a threshold already; a learned one would come on top.
        given |= {"initial_threshold": 0.1, "bandwidth": 0.2}
        known = {
            name: v for name, v in given.items() if name in self.estimator.__dataclass_fields__
        }
        return known | ({"learning_rate": 1e-5} if self.is_dense_at_first() else {})


def variant(cls: type[BaseSAE], *, clips: bool = False) -> type[Variant]:
    """Return the method that fits an estimator."""
    kind = cls.__name__.removesuffix("SAE")
    name = f"{cls.__name__} (ours){', clipping' if clips else ''}"
    does = f"{Variant.does}{'; gradient norm clipped to 1' if clips else ''}"
    warm_up = 40 if isinstance(cls()._make_activation(PLAN), Batchwise) else Variant.warm_up
    fields = {"estimator": cls, "name": name, "kind": kind, "clips": clips, "does": does}
    return type(cls.__name__, (Variant,), {**fields, "warm_up": warm_up})


OURS = [variant(cls) for _, cls in all_saes()]


def run_variants(setting: str | Setting, *, n_rounds: int = 8) -> dict[str, Any]:
    """Time steps of all estimators and, at a clipped gradient, of the peers' and ours."""
    clipped = {peer.kind for peer in VARIANT_PEERS if peer.is_installed()}
    ours = [variant(m.estimator, clips=True) for m in OURS if m.kind in clipped]
    methods: list[type[Method]] = [*OURS, *ours, *VARIANT_PEERS]
    return run_steps(setting, n_rounds=n_rounds, methods=methods) | {"part": "variants"}
