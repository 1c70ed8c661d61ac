"""Who takes part, and the configurations that each may try: at most four."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from examples.which_sae.study import Scores, next_strength
from sklearn_aensae import L1SAE, AdaptiveElasticNetSAE, BaseSAE, all_saes

LEARNING_RATES = (1e-3, 2e-3, 4e-3, 8e-3)
MIDDLE_RATE = 4e-3
CLOSE = 1.05
"""Within this factor of a target, no other strength of a penalty is tried."""

EXACT: dict[str, Any] = {"transform_method": "exact", "debias": True, "decoder_refits": 2}
THRESHOLDED = {**EXACT, "debias": "thresholded"}


@dataclass(frozen=True)
class Arm:
    """An estimator with what is not a default of it."""

    name: str
    cls: type[BaseSAE]
    extra: dict[str, Any] = field(default_factory=dict)
    is_asked_for_l0: bool = True
    """Whether the number of active codes is asked for; else strengths of the penalty are tried."""

    def asked_for(self, target: int, learning_rate: float) -> dict[str, Any]:
        """Parameters that ask for a number of active codes."""
        name = "k" if "k" in self.cls.__dataclass_fields__ else "target_l0"
        return {"learning_rate": learning_rate, name: target}

    def trials(
        self, target: int, seen: Sequence[tuple[float, float]] = ()
    ) -> Generator[dict[str, Any], Scores, None]:
        """Yield parameters; who takes them sends back the scores that they led to.

        Where the number of active codes is asked for, the trials are learning rates. Else they are
        strengths of the penalty, each from a line through the last two, until one is close; those
        `seen` with another target, strengths and active codes, count as trials before.
        """
        if self.is_asked_for_l0:
            for rate in LEARNING_RATES:
                yield self.asked_for(target, rate)
            return
        known = [*seen]
        for _ in LEARNING_RATES:
            strength = next_strength(known, target)
            scores = yield {"learning_rate": MIDDLE_RATE, "lambda_1": strength}
            if target / CLOSE <= scores["L0"] <= target * CLOSE:
                return
            known.append((strength, scores["L0"]))


PLAIN = [Arm(name, cls) for name, cls in all_saes()]
BEST = [
    # Those that try strengths are of when `fit` could not yet match exact codes.
    Arm("AdaptiveElasticNetSAE, exact", AdaptiveElasticNetSAE, EXACT, is_asked_for_l0=False),
    # Weaker weights: what is weak is not starved where few codes are active.
    Arm(
        "AdaptiveElasticNetSAE, gamma 0.25, exact",
        AdaptiveElasticNetSAE,
        {**EXACT, "gamma": 0.25},
        is_asked_for_l0=False,
    ),
    Arm(
        "AdaptiveElasticNetSAE, whitened, exact",
        AdaptiveElasticNetSAE,
        {**EXACT, "input_scaling": "whiten"},
        is_asked_for_l0=False,
    ),
    Arm(
        "AdaptiveElasticNetSAE, gamma 0.25, thresholded",
        AdaptiveElasticNetSAE,
        {**THRESHOLDED, "gamma": 0.25},
    ),
]
# What exact codes and refits do without adaptive weights.
CONTROLS = [
    Arm("L1SAE, exact", L1SAE, EXACT, is_asked_for_l0=False),
    Arm("L1SAE, thresholded", L1SAE, THRESHOLDED),
]
ARMS = {arm.name: arm for arm in [*PLAIN, *BEST, *CONTROLS]}

ON_LANGUAGE = (
    "AdaptiveElasticNetSAE",
    *(arm.name for arm in BEST),
    "L1SAE",
    *(arm.name for arm in CONTROLS),
    "TopKSAE",
    "BatchTopKSAE",
    "JumpReLUSAE",
    "GatedSAE",
    "MatryoshkaSAE",
)
