"""Does it pay to train the encoder on exact codes? What docs/exact_coding.md says about it.

    python -m examples.encoder_targets --page docs/exact_coding.md    # some ten minutes, one core
    python -m examples.encoder_targets --unrolled --page docs/exact_coding.md    # an hour or so
    python -m examples.encoder_targets --quick                        # tiny: the path only

An AdaptiveElasticNetSAE is trained as usual, with and without refits of its decoder at the end.
Then its encoder alone is trained on, with the dictionary as it is: towards exact codes as targets,
or on the objective itself, from which those come; unrolled, on that of the codes to which a few
steps of proximal gradient descent lead from the encoder's (as in LISTA, Gregor and LeCun 2010).
All are measured on held-out rows.
"""

import argparse
import copy
import itertools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from examples.spiked.cases import SIZES, Case, held_out, training_rows
from examples.studies.page import markdown, provenance, publish, seeds
from examples.studies.record import Record, Run, describe
from examples.which_sae.problems import Budget, language_model
from sklearn_aensae import AdaptiveElasticNetSAE
from sklearn_aensae.metrics import code_error, explained_variance, l0

Array = NDArray[np.floating[Any]]
DECODER_REFITS = (0, 4)
TARGET_L0 = 16
RATES = (3e-4, 2e-3)
BATCH = 256
UNROLLED = 5
"""Steps of accelerated proximal gradient descent that follow the encoder, where there are some."""
LOSSES = ("exact codes", "objective")
UNROLLED_LOSS = f"objective after {UNROLLED} steps"


@dataclass(frozen=True)
class Setting:
    """Sizes and lengths."""

    n_rows: int = 100_000
    n_held_out: int = 6_000
    n_target_rows: int = 32_768
    steps: int = 2_000
    encoder_steps: int = 1_500
    n_chars: int = 600_000
    size: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {**vars(self), "target L0": TARGET_L0, "rates": [*RATES]}


TINY = Setting(2_000, 300, 1_000, 60, 40, 8_000, "tiny")


def rows(name: str, seed: int, setting: Setting) -> tuple[Array, Array, int]:
    """Rows to train on, rows to measure on, and the number of components."""
    if name == "language model":
        budget = Budget(0, 8_000, setting.n_chars, 10, steps=setting.steps, batch_size=BATCH)
        problem = language_model(budget, 3)
        train, test, n_components = problem.train, problem.test, 8 * problem.train.shape[1]
    else:
        case = Case(0.9, size=setting.size)
        stream = case.stream(seed)
        train, test = training_rows(stream, setting.n_rows), held_out(stream, 6_000, False)[0]
        n_components = SIZES[setting.size].n_components
    # In the units of training: the encoder is trained on outside of the estimator.
    scale = float(np.sqrt(train.shape[1]) / np.linalg.norm(train, axis=1).mean())
    return train * scale, test[: setting.n_held_out] * scale, n_components


def encode(X: Array, weight: Array, bias: Array, offset: Array) -> Array:
    """Codes of an encoder."""
    codes: Array = np.maximum((X - offset) @ weight.T + bias, 0)
    return codes


class Problem:
    """The objective of coding on the dictionary of an estimator, in the units of its rows."""

    def __init__(self, sae: AdaptiveElasticNetSAE) -> None:
        self.D, self.b = torch.tensor(sae.components_), torch.tensor(sae.decoder_bias_)
        strengths = sae.lambda_1_ * sae.adaptive_weights_
        self.strengths = torch.tensor(strengths, dtype=self.D.dtype)
        self.n, self.ridge = self.D.shape[1], sae.lambda_2_
        largest = float(torch.linalg.matrix_norm(self.D, 2)) ** 2
        self.rate = 1 / (2 * largest / self.n + 2 * self.ridge)

    def value(self, x: Tensor, h: Tensor) -> Tensor:
        """Mean of the objective over rows."""
        error = (x - self.b - h @ self.D).square().sum(1).mean() / self.n
        return error + (h @ self.strengths).mean() + self.ridge * h.square().sum(1).mean()

    def descend(self, x: Tensor, h: Tensor) -> Tensor:
        """Codes after some steps of accelerated proximal gradient descent (Beck and Teboulle)."""
        point, t = h, 1.0
        for _ in range(UNROLLED):
            slope = 2 / self.n * ((point @ self.D + self.b - x) @ self.D.T) + 2 * self.ridge * point
            after = torch.relu(point - self.rate * (slope + self.strengths))
            t_after = (1 + (1 + 4 * t * t) ** 0.5) / 2
            point, h, t = after + (t - 1) / t_after * (after - h), after, t_after
        return h


def trained_on(
    sae: AdaptiveElasticNetSAE, X: Array, exact: Array, rate: float, loss: str, n_steps: int
) -> tuple[Array, Array]:
    """Weights and bias of the encoder after some more steps on it alone."""
    problem, offset = Problem(sae), torch.tensor(sae.encoder_offset_)
    x, wanted = torch.tensor(X), torch.tensor(exact)
    W, c = (torch.tensor(a, requires_grad=True) for a in (sae.encoder_weights_, sae.encoder_bias_))
    optimizer = torch.optim.Adam([W, c], lr=rate)
    generator = torch.Generator().manual_seed(0)
    for step in range(n_steps):
        optimizer.param_groups[0]["lr"] = rate * min(1.0, (n_steps - step) / (0.3 * n_steps))
        drawn = torch.randint(len(x), (BATCH,), generator=generator)
        batch = x[drawn]
        h = torch.relu((batch - offset) @ W.T + c)
        if loss == "exact codes":
            value = (h - wanted[drawn]).square().sum(1).mean()
        else:
            value = problem.value(batch, h if loss == "objective" else problem.descend(batch, h))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return W.detach().numpy(), c.detach().numpy()


@torch.no_grad()
def descended(sae: AdaptiveElasticNetSAE, X: Array, codes: Array) -> Array:
    """Codes after the steps that follow an encoder."""
    found: Array = Problem(sae).descend(torch.tensor(X), torch.tensor(codes)).numpy()
    return found


def refined(sae: AdaptiveElasticNetSAE, X: Array) -> Array:
    """Codes after two rounds of the exact solver."""
    codes: Array = copy.copy(sae).set_params(refine_steps=2).transform(X)
    return codes


def study(name: str, seed: int, setting: Setting, losses: tuple[str, ...] = LOSSES) -> Run:
    """Figures of the exact codes and of all encoders, for one seed."""
    X, test, n_components = rows(name, seed, setting)
    found = []
    for refits in DECODER_REFITS:
        sae = AdaptiveElasticNetSAE(
            n_components, max_steps=setting.steps, learning_rate=4e-3, target_l0=TARGET_L0,
            decoder_refits=refits, input_scaling=None, random_state=seed,
        ).fit(X)  # fmt: skip
        exact, offset = sae.encode(test, "exact"), sae.encoder_offset_
        ways = {"exact": exact, "as trained": sae.encode(test, "encoder")}
        if UNROLLED_LOSS in losses:
            ways[f"as trained, {UNROLLED} steps"] = descended(sae, test, ways["as trained"])
            ways["as trained, refine_steps=2"] = refined(sae, test)
        drawn = X[np.random.default_rng(seed).permutation(len(X))[: setting.n_target_rows]]
        wanted = sae.encode(drawn, "exact")
        for loss, rate in itertools.product(losses, RATES):
            encoder = trained_on(sae, drawn, wanted, rate, loss, setting.encoder_steps)
            codes = encode(test, *encoder, offset)
            if loss == UNROLLED_LOSS:
                codes = descended(sae, test, codes)
            ways[f"then on {loss}, rate {rate:g}"] = codes
        for way, codes in ways.items():
            figures = {
                "L0": float(l0(codes)),
                "EV": float(explained_variance(test, sae.inverse_transform(codes))),
                "error": float(code_error(codes, exact).error),
            }
            found.append({"refits": refits, "codes": way, **figures})
    return {"data": name, "seed": seed, "figures": found}


def table(runs: list[Run]) -> str:
    """Mean over the seeds, with least and most."""
    lines = [["data", "decoder refits", "codes", "L0", "EV", "relative error to exact codes"]]
    groups: dict[tuple[str, int, str], list[Run]] = {}
    for run in sorted(runs, key=lambda run: str(run["data"])):
        for one in run["figures"]:
            groups.setdefault((run["data"], one["refits"], one["codes"]), []).append(one)
    for key, own in groups.items():
        cells = []
        for name, digits in (("L0", 1), ("EV", 3), ("error", 3)):
            values = [run[name] for run in own]
            low, middle, high = (f"{f(values):.{digits}f}" for f in (min, np.mean, max))
            cells.append(f"{middle} ({low}..{high})")
        lines.append([key[0], str(key[1]), key[2], *cells])
    return markdown(lines)


def main() -> int:
    """Run what is not there yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny: the path, not the result")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--unrolled", action="store_true", help="steps of descent, not targets")
    parser.add_argument("--output", type=Path, help="JSON of all runs")
    parser.add_argument("--page", type=Path, help="fill the markers of this page")
    args = parser.parse_args()
    setting = TINY if args.quick else Setting()
    losses, what = ((UNROLLED_LOSS,), "unrolled") if args.unrolled else (LOSSES, "encoder targets")
    folder = Path("build" if args.quick else "docs/data")
    output = args.output or folder / f"{what.replace(' ', '_')}.json"
    record = Record(output, setting.as_json(), describe("one by one", 1, "cpu", None))
    for name in ("language model", "spiked, rho 0.9"):
        for seed in args.seeds:
            if not record.has(data=name, seed=seed):
                record.add(study(name, seed, setting, losses))
    tables = {
        what: table(record.runs),
        f"{what} provenance": provenance(
            record.content, lambda runs, session: f"{len(runs)} runs, seeds {seeds(runs)}"
        ),
    }
    publish(tables, args.page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
