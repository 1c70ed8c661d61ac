"""How far codes move when a row moves a little: exact codes, and those of a trained encoder.

    python -m examples.stability            # a minute or two; writes docs/images and docs/data
    python -m examples.stability --quick    # tiny: the path, not the result

The claim of the elastic net SAE (arXiv 2605.05341) is that an L1 penalty alone leaves codes
unstable, and that an L2 penalty makes coding Lipschitz. Here it is measured, over lambda_2 from 0
up, on a dictionary of unrelated atoms (rho = 0) and on one whose atoms share a direction
(rho = 0.9): exact codes on the true dictionary; what the supports that occur would allow at worst;
the bound that no code can exceed; and an ElasticNetSAE that was trained with each lambda_2, by its
encoder and exactly. docs/theory.md says what is to be seen.
"""

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from examples.studies.record import describe
from sklearn_aensae import ElasticNetSAE
from sklearn_aensae.coding import Coding, solve
from sklearn_aensae.datasets import make_spiked_dictionary
from sklearn_aensae.metrics import explained_variance, l0
from sklearn_aensae.theory import empirical_lipschitz, lipschitz_bound, support_lipschitz

RHOS = (0.0, 0.9)
LAMBDA_1 = 0.01


@dataclass
class Budget:
    """How much data and training a run takes."""

    lambda_2: tuple[float, ...] = (0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
    n_features: int = 32
    n_components: int = 128
    n_active: int = 4
    n_rows: int = 100
    n_perturbations: int = 8
    n_train: int = 10_000
    steps: int = 1_000


QUICK = Budget(
    lambda_2=(0.0, 1e-2), n_features=8, n_components=16, n_active=2, n_rows=10, n_perturbations=2,
    n_train=200, steps=10,
)  # fmt: skip


class ExactCoder:
    """Exact non-negative codes on a dictionary that is given."""

    def __init__(self, dictionary: np.ndarray, lambda_1: float, lambda_2: float) -> None:
        n_components, n = dictionary.shape
        self.atoms, self.ridge = torch.tensor(dictionary), n * lambda_2
        self.alpha = torch.full((n_components,), n * lambda_1 / 2, dtype=torch.double)

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Encode rows, from no active codes on."""
        problem = Coding(torch.tensor(X), self.atoms, self.alpha, self.ridge)
        columns = torch.zeros(len(X), 1, dtype=torch.long)
        found = solve(problem, columns, columns.double(), tol=1e-10)
        codes = torch.zeros(len(X), len(self.atoms), dtype=torch.double)
        return codes.scatter_add(1, found.columns, found.values).numpy()


def study(rho: float, budget: Budget, seed: int) -> list[dict[str, float]]:
    """Measure codes of held-out rows, for each lambda_2."""
    X, _, dictionary = make_spiked_dictionary(
        budget.n_train + budget.n_rows, budget.n_features, budget.n_components,
        n_active=budget.n_active, rho=rho, random_state=seed,
    )  # fmt: skip
    train, rows = X[: budget.n_train], X[budget.n_train :]
    return [
        {"rho": rho, "lambda_2": lambda_2, "bound": lipschitz_bound(dictionary, lambda_2)}
        | on_true_dictionary(dictionary, rows, lambda_2, budget, seed)
        | on_learned_dictionary(train, rows, lambda_2, budget, seed)
        for lambda_2 in budget.lambda_2
    ]


def on_true_dictionary(
    dictionary: np.ndarray, rows: np.ndarray, lambda_2: float, budget: Budget, seed: int
) -> dict[str, float]:
    """How far exact codes move, and could move on the supports that they have."""
    coder = ExactCoder(dictionary, LAMBDA_1, lambda_2)
    codes = coder.transform(rows)
    moved = empirical_lipschitz(
        coder, rows, n_perturbations=budget.n_perturbations, random_state=seed
    )
    worst = [support_lipschitz(dictionary, row > 0, lambda_2) for row in codes if row.any()]
    return {
        "exact_max": moved.max,
        "exact_mean": moved.mean,
        "support_max": max(worst),
        "support_median": float(np.median(worst)),
        "exact_l0": l0(codes),
        "exact_ev": explained_variance(rows, codes @ dictionary),
    }


def on_learned_dictionary(
    train: np.ndarray, rows: np.ndarray, lambda_2: float, budget: Budget, seed: int
) -> dict[str, float]:
    """How far the codes of a trained estimator move, by its encoder and exactly."""
    # Without scaling, penalties mean what they mean on the true dictionary.
    sae = ElasticNetSAE(
        budget.n_components, lambda_1=LAMBDA_1, lambda_2=lambda_2, input_scaling=None,
        batch_size=min(256, len(train)), max_steps=budget.steps, learning_rate=3e-3,
        dtype="float64", random_state=seed,
    ).fit(train)  # fmt: skip
    result = {"sae_ev": explained_variance(rows, sae.reconstruct(rows))}
    for method in ("encoder", "exact"):
        moved = empirical_lipschitz(
            sae, rows, n_perturbations=budget.n_perturbations, method=method, random_state=seed
        )
        result |= {f"sae_{method}_max": moved.max, f"sae_{method}_mean": moved.mean}
        result[f"sae_{method}_l0"] = l0(sae.encode(rows, method))
    return result


def draw(results: list[dict[str, float]], path: Path) -> None:
    """Draw a panel for each rho."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.8), layout="constrained")
    for ax, rho in zip(figure.subplots(1, len(RHOS), sharey=True), RHOS, strict=True):
        panel = [row for row in results if row["rho"] == rho]
        x = [row["lambda_2"] for row in panel]
        for key, label, style in LINES:
            ax.plot(x, [row[key] for row in panel], style, label=label, markersize=4)
        ax.set(title=f"rho = {rho:g}", xlabel="lambda_2", yscale="log")
        ax.set_xscale("symlog", linthresh=min(v for v in x if v), linscale=0.5)
        ax.set_xlim(0, max(x))
    figure.axes[0].set_ylabel("|change of code| / |change of row|")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


LINES = (
    ("bound", "bound", "k--"),
    ("support_max", "exact: worst of the supports that occur", "C0:"),
    ("exact_max", "exact, true dictionary: largest", "C0o-"),
    ("exact_mean", "exact, true dictionary: mean", "C0o--"),
    ("sae_exact_mean", "exact, learned dictionary: mean", "C2s--"),
    ("sae_encoder_max", "trained encoder: largest", "C1^-"),
    ("sae_encoder_mean", "trained encoder: mean", "C1^--"),
)


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, keep and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny: the path, not the result")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("docs"), help="for data/ and images/")
    args = parser.parse_args(arguments)
    budget, started = QUICK if args.quick else Budget(), time.perf_counter()
    results = [row for rho in RHOS for row in study(rho, budget, args.seed)]
    shown = ("rho", "lambda_2", *(key for key, _, _ in LINES), "exact_l0", "sae_encoder_l0")
    print("  ".join(shown))
    for row in results:
        print("  ".join(f"{row[key]:{len(key)}.3g}" for key in shown))
    seconds = round(time.perf_counter() - started, 1)
    session = describe("one by one", 1, "cpu", None)
    record = {"session": session, "seed": args.seed, "lambda_1": LAMBDA_1, "seconds": seconds}
    # JSON knows no infinity.
    rows = [{k: v if np.isfinite(v) else None for k, v in row.items()} for row in results]
    path = args.output / "data" / "stability.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record | {"budget": asdict(budget), "rows": rows}, indent=1) + "\n")
    draw(results, args.output / "images" / "stability.png")
    print(f"{seconds} seconds; {path}")


if __name__ == "__main__":
    main()
