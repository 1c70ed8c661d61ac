"""The direction of the comparison on tiny data, in less than a minute."""

from examples.fair_comparison.arms import ARMS, MIDDLE_RATE, Arm
from examples.fair_comparison.problems import TINY_BUDGET, spiked
from examples.fair_comparison.study import measure
from examples.which_sae.problems import Budget
from examples.which_sae.study import Scores

STRENGTH = 0.05


def check_direction(budget: Budget = TINY_BUDGET) -> list[tuple[str, bool]]:
    """Train three arms at rho .9; say what should hold, and whether."""
    data = spiked(0.9, budget, "tiny")

    def run(arm: Arm, **params: float) -> Scores:
        return measure(arm, data, {"learning_rate": MIDDLE_RATE, **params}, seed=0)

    target = data.make(0).target
    topk = run(ARMS["TopKSAE"], k=target)
    aen = run(ARMS["AdaptiveElasticNetSAE"], target_l0=target)
    exact = run(ARMS["AdaptiveElasticNetSAE, whitened, exact"], lambda_1=STRENGTH)
    dead = "silent in 1,000"
    return [
        (f"from the data, TopK does not starve ({topk[dead]:.3f} < .2)", topk[dead] < 0.2),
        (f"nor does the adaptive elastic net ({aen[dead]:.3f} < .2)", aen[dead] < 0.2),
        (f"exact codes explain more (EV {exact['EV']:.3f} > {aen['EV']:.3f})",
         exact["EV"] > aen["EV"]),
        (f"of a better dictionary ({exact['recovery centred']:.3f} > "
         f"{topk['recovery centred']:.3f})",
         exact["recovery centred"] > topk["recovery centred"]),
    ]  # fmt: skip
