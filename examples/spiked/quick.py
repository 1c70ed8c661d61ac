"""The direction of the result on tiny data, in seconds."""

from typing import Any

from examples.reproduce_paper.estimators import Setting as Published
from examples.reproduce_paper.estimators import make_estimator
from examples.reproduce_paper.figures import figures
from examples.reproduce_paper.published import ROWS
from examples.spiked.cases import PAPER, TINY, Case, held_out, training_rows
from sklearn_aensae import AdaptiveElasticNetSAE, BaseSAE
from sklearn_aensae.recipes import SPIKED

RHO, SEED, STEPS, N_TRAIN, N_HELD_OUT = 0.9, 0, 800, 8_000, 2_000


def check_direction(steps: int = STEPS) -> list[tuple[str, bool]]:
    """Train the recipe and the paper's configuration; say what should hold, and whether."""
    case = Case(RHO, size="tiny")
    stream = case.stream(SEED)
    X = training_rows(stream, N_TRAIN)
    rows, truth = held_out(stream, N_HELD_OUT, case.signed)

    def measure(sae: BaseSAE) -> dict[str, float]:
        codes = sae.transform(rows)
        return figures(rows, codes, sae.inverse_transform(codes), sae.components_, truth)

    sae = AdaptiveElasticNetSAE(**recipe(steps), random_state=SEED).fit(X)
    ours = measure(sae)
    plain = measure(sae.set_params(transform_method="encoder", refine_steps=0, debias=False))
    paper = measure(published(steps).fit(X))
    return [
        above("F1", ours, plain, "its own encoder's"),
        above("EV", ours, plain, "its own encoder's"),
        above("F1", ours, paper, "the paper's"),
        above("recovery centred", ours, paper, "the paper's"),
    ]


def recipe(steps: int) -> dict[str, Any]:
    """Return the recipe for tiny data and fewer steps.

    In the textbook scaling penalties are `n_features * lambda_1 / 2` and `n_features * lambda_2`;
    these stay what they are.
    """
    found = {**Case(RHO, size="tiny").adapted(dict(SPIKED)), "max_steps": steps}
    for name in {"lambda_1", "lambda_2"} & set(found):
        found[name] *= PAPER.n_features / TINY.n_features
    return found


def published(steps: int) -> BaseSAE:
    """Return the paper's AEN with the most EV at the same rho, for tiny data and fewer steps."""
    row = next(row for row in ROWS if row.family == "AEN" and row.rho == RHO)
    sizes = Published(TINY.n_features, TINY.n_components, TINY.n_active).shortened(steps)
    return make_estimator(row, SEED, sizes)


def above(
    name: str, ours: dict[str, float], other: dict[str, float], whose: str
) -> tuple[str, bool]:
    """Say that a figure of ours is above another."""
    text = f"{name} of the recipe ({ours[name]:.3f}) is above {whose} ({other[name]:.3f})"
    return text, ours[name] > other[name]
