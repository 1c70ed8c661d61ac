"""Do thresholded codes find and explain more than debiased ones? What docs/exact_coding.md says.

    python -m examples.thresholded_codes --page docs/exact_coding.md    # half an hour, one core
    python -m examples.thresholded_codes --quick                        # tiny: the direction

`AdaptiveElasticNetSAE` with exact codes and two refits of the decoder, at the same L0 by
`target_l0`, with ``debias=True`` and with ``debias="thresholded"``: everything else is alike. All
is measured on held-out rows; the true components are known for spiked data.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from examples.reproduce_paper.figures import figures
from examples.spiked.cases import SIZES, Case, Truth, held_out, training_rows
from examples.studies.page import markdown, provenance, publish, report, seeds, spread
from examples.studies.record import Record, Run, describe
from examples.which_sae.problems import Budget, language_model
from sklearn_aensae import AdaptiveElasticNetSAE
from sklearn_aensae.metrics import explained_variance, l0

Array = NDArray[np.floating[Any]]
WAYS = {"debiased": True, "thresholded": "thresholded"}
LANGUAGE = "language model"
LAST_BLOCK = 3


@dataclass(frozen=True)
class Setting:
    """Sizes and lengths."""

    n_rows: int = 100_000
    n_held_out: int = 6_000
    steps: int = 2_000
    n_chars: int = 600_000
    size: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {**vars(self)}


TINY = Setting(4_000, 1_000, 300, 8_000, "tiny")


def problems(setting: Setting) -> dict[str, tuple[Case | None, int]]:
    """Cases of spiked data, None for the language model, and how many codes are asked for."""
    n_active = SIZES[setting.size].n_active
    cases = [Case(rho, noise, size=setting.size) for rho, noise in ((0.9, 0.0), (0.5, 0.1))]
    found: dict[str, tuple[Case | None, int]] = {case.key: (case, n_active) for case in cases}
    return found | {f"{LANGUAGE}, {target}": (None, target) for target in (8, 16, 32)}


def rows(case: Case | None, seed: int, setting: Setting) -> tuple[Array, Array, Truth | None, int]:
    """Rows to train on, others with their truth, and the number of components."""
    if case is None:
        budget = Budget(0, 8_000, setting.n_chars, 10, steps=setting.steps, batch_size=256)
        problem = language_model(budget, LAST_BLOCK)
        test = problem.test[: setting.n_held_out]
        return problem.train, test, None, 8 * problem.train.shape[1]
    stream = case.stream(seed)
    train = training_rows(stream, setting.n_rows)
    test, truth = held_out(stream, setting.n_held_out, signed=False)
    return train, test, truth, SIZES[case.size].n_components


def study(name: str, seed: int, setting: Setting) -> Run:
    """Figures of both ways, for one seed."""
    case, target = problems(setting)[name]
    X, test, truth, n_components = rows(case, seed, setting)
    found = {}
    for way, debias in WAYS.items():
        sae = AdaptiveElasticNetSAE(
            n_components, target_l0=target, max_steps=setting.steps, learning_rate=4e-3,
            transform_method="exact", debias=debias, decoder_refits=2, random_state=seed,
        )  # fmt: skip
        started = time.perf_counter()
        codes = sae.fit(X).transform(test)
        seconds = time.perf_counter() - started
        decoded = sae.inverse_transform(codes)
        one = {"EV": float(explained_variance(test, decoded)), "L0": float(l0(codes))}
        if truth is not None:
            one |= figures(test, codes, decoded, sae.components_, truth)
        found[way] = {**one, "lambda_1": sae.lambda_1_, "seconds": seconds}
    return {"data": name, "target": target, "seed": seed, "figures": found}


def table(runs: list[Run]) -> str:
    """Mean over the seeds, with least and most."""
    digits = {"L0": 1, "EV": 3, "F1": 3, "recovery centred": 3, "lambda_1": 4, "seconds": 0}
    lines = [["data", "target", "codes", *digits]]
    for name in dict.fromkeys(str(run["data"]) for run in runs):
        own = [run for run in runs if run["data"] == name]
        for way in WAYS:
            group = [run["figures"][way] for run in own]
            cells = [spread(group, k, n) if k in group[0] else "-" for k, n in digits.items()]
            target = str(own[0]["target"])
            lines.append([name.removesuffix(f", {target}"), target, way, *cells])
    return markdown(lines)


def check_direction() -> list[tuple[str, bool]]:
    """Say what should hold on tiny noisy data, and whether it does."""
    plain, better = study("rho 0.5, noise 0.1, tiny", 0, TINY)["figures"].values()
    f1, wanted = (f"F1 {better['F1']:.3f}, debiased {plain['F1']:.3f}", plain["F1"] + 0.02)
    near = abs(better["L0"] / plain["L0"] - 1) < 0.05
    return [
        (f"more of what is thresholded is true: {f1}", better["F1"] > wanted),
        (f"both have as many codes: {better['L0']:.2f}, {plain['L0']:.2f}", near),
    ]


def main() -> int:
    """Run what is not there yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny: the direction of the result")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--output", type=Path, default=Path("docs/data/thresholded_codes.json"))
    parser.add_argument("--page", type=Path, help="fill the markers of this page")
    parser.add_argument("--commit", help="what to write down where git is not at hand")
    args = parser.parse_args()
    if args.quick:
        return report(check_direction())
    setting = Setting()
    record = Record(args.output, setting.as_json(), describe("one by one", 1, "cpu", args.commit))
    for seed in args.seeds:
        for name in problems(setting):
            if not record.has(data=name, seed=seed):
                record.add(study(name, seed, setting))
    tables = {
        "thresholded codes": table(record.runs),
        "thresholded codes provenance": provenance(
            record.content, lambda runs, session: f"{len(runs)} runs, seeds {seeds(runs)}"
        ),
    }
    publish(tables, args.page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
