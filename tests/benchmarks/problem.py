"""What is trained on: a data matrix, the sizes of the model and of a batch, the strengths."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sklearn_aensae.datasets import make_sparse_codes
from sklearn_aensae.estimators._nested import level_bounds

__all__ = ["SETTINGS", "Problem", "Setting", "level_widths", "make_problem", "scaled"]


@dataclass(frozen=True)
class Setting:
    """Sizes of a step."""

    n_samples: int
    n_features: int
    n_components: int
    batch_size: int
    k: int = 32
    n_atoms: int = 4096
    n_active: int = 24


SETTINGS = {
    "S": Setting(131_072, 512, 4_096, 4_096),
    "M": Setting(65_536, 1_024, 16_384, 2_048),
    "wide": Setting(32_768, 512, 65_536, 1_024),
    "tiny": Setting(512, 8, 16, 8, k=4, n_atoms=32, n_active=4),
}
"""S has the sizes of an SAE on Pythia-70M; "wide" has 128 components per feature."""


@dataclass(frozen=True)
class Problem:
    """One training problem, the same for every method.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
        Rows, float32, scaled to a mean norm of sqrt(n_features).
    n_components, batch_size, k : int
        Sizes; `k` is the number of active components of TopK methods.
    n_steps : int
        Length of training to which schedules refer.
    learning_rate : float
        Of every method.
    lambda_1, lambda_2 : float
        Strengths of the elastic net, in the scale of the AEN paper.
    l0 : float
        Active components per row from which a sparse start begins (see `start.py`).
    precision : {"highest", "high", "medium"}
        Precision of float32 matrix products, as torch.set_float32_matmul_precision names them.
    schedules : bool
        Whether learning rate and penalties rise and fall (whole fits) or stay (single steps).
    in_order : bool
        Whether rows come in the order of `X` and unscaled, so that the dense reference can
        restate our training; else in random order.
    seed : int
        Of weights and of the order of rows.
    """

    X: Tensor
    n_components: int
    batch_size: int
    k: int = 32
    n_steps: int = 1_000
    learning_rate: float = 1e-3
    lambda_1: float = 1e-3
    lambda_2: float = 1e-4
    l0: float = 40.0
    precision: str = "highest"
    schedules: bool = False
    in_order: bool = False
    seed: int = 0


def scaled(X: np.ndarray) -> np.ndarray:
    """Rows with a mean norm of sqrt(n_features), float32."""
    X = np.ascontiguousarray(X, dtype=np.float32)
    factor = np.sqrt(X.shape[1]) / np.linalg.norm(X, axis=1).mean()
    return X * np.float32(factor)


def make_problem(setting: Setting, *, seed: int = 0, **parameters: object) -> Problem:
    """Synthetic rows in the sizes of a setting: sparse positive sums of random atoms, and noise."""
    X, _, _ = make_sparse_codes(
        setting.n_samples,
        setting.n_features,
        setting.n_atoms,
        n_active=setting.n_active,
        noise_std=0.05,
        dtype=np.float32,
        random_state=seed,
    )
    sizes = {"n_components": setting.n_components, "batch_size": setting.batch_size}
    parameters = {**sizes, "k": setting.k, "seed": seed, **parameters}
    return Problem(torch.from_numpy(scaled(X)), **parameters)


def level_widths(problem: Problem) -> list[int]:
    """Widths of the levels of a Matryoshka autoencoder: those that ours has by default."""
    return level_bounds(None, problem.n_components)
