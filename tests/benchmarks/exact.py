"""Exact codes: rows per second against scikit-learn's and skglm's solvers, and errors of all."""

import copy
import importlib.util
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.linear_model import ElasticNet

from sklearn_aensae import ElasticNetSAE
from sklearn_aensae.datasets import make_sparse_codes

from .machine import describe

__all__ = ["run_exact"]

STRENGTHS = ((0.01, 0.0), (0.01, 1e-4))
SIZES = ((256, 1_024), (512, 4_096))
PEER_ROWS = 64
"""Rows that are coded one at a time; the others are coded in one call."""

Solver = Callable[[np.ndarray], np.ndarray]


def run_exact(
    n_rows: int = 4_096, *, sizes: tuple[tuple[int, int], ...] = SIZES, n_steps: int = 1_500
) -> dict[str, Any]:
    """Code held-out rows on trained dictionaries, without and with a ridge."""
    records = []
    for n_features, n_components in sizes:
        X, _, _ = make_sparse_codes(
            20_000 + n_rows, n_features, n_components, n_active=min(16, n_components // 4),
            noise_std=0.05, dtype=np.float32, random_state=0,
        )  # fmt: skip
        train, rows = X[:-n_rows], X[-n_rows:]
        for lambda_1, lambda_2 in STRENGTHS:
            sae = ElasticNetSAE(
                n_components, lambda_1=lambda_1, lambda_2=lambda_2, max_steps=n_steps,
                batch_size=256, learning_rate=3e-3, device="cpu", random_state=0,
            ).fit(train)  # fmt: skip
            setting = {"n_features": n_features, "n_components": n_components}
            setting |= {"lambda_2": lambda_2}
            records += [{**setting, **record} for record in compare(sae, rows)]
    return {"part": "exact", "machine": describe(), "n_rows": n_rows, "methods": records}


def compare(sae: ElasticNetSAE, rows: np.ndarray) -> list[dict[str, Any]]:
    """Time the encoder, our exact codes and scikit-learn's; errors are from the least value."""
    few = rows[:PEER_ROWS]
    timed = {
        "encoder": (rows, lambda x: sae.encode(x, "encoder")),
        "refined once (ours)": (rows, clone_with(sae, refine_steps=1).transform),
        "exact (ours)": (rows, lambda x: sae.encode(x, "exact")),
        "scikit-learn, tol=1e-4": (few, lambda x: one_by_one(sae, x, scikit_learn(sae, 1e-4))),
        "scikit-learn, tol=1e-7": (few, lambda x: one_by_one(sae, x, scikit_learn(sae, 1e-7))),
    }
    if importlib.util.find_spec("skglm") is not None:
        one_by_one(sae, few[:1], skglm(sae, 1e-5))  # numba compiles
        timed["skglm, tol=1e-5"] = few, lambda x: one_by_one(sae, x, skglm(sae, 1e-5))
    seconds, values, l0 = {}, {}, {}
    for name, (x, encode) in timed.items():
        started = time.perf_counter()
        codes = encode(x)
        seconds[name] = (time.perf_counter() - started) / len(x)
        values[name] = objectives(sae, few, codes[: len(few)])
        l0[name] = float((codes > 0).sum(1).mean())
    least = np.min(list(values.values()), axis=0)
    return [
        {
            "name": name,
            "rows_per_second": 1 / seconds[name],
            "l0": l0[name],
            "mean_error": float((values[name] / least - 1).mean()),
            "worst_error": float((values[name] / least - 1).max()),
        }
        for name in timed
    ]


def clone_with(sae: ElasticNetSAE, **params: Any) -> ElasticNetSAE:
    """Return a fitted copy with other parameters."""
    return copy.copy(sae).set_params(**params)


def one_by_one(sae: ElasticNetSAE, rows: np.ndarray, solve: Solver) -> np.ndarray:
    """Code row by row in the units of training; codes are in the units of the rows."""
    targets = sae.input_scale_ * (rows - sae.decoder_bias_).astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.stack([solve(target) for target in targets]) / sae.input_scale_


def strengths(sae: ElasticNetSAE) -> tuple[float, float]:
    """Penalties in the parametrisation of scikit-learn: alpha and l1_ratio."""
    alpha = 0.5 * sae.lambda_1 + sae.lambda_2
    return alpha, 0.5 * sae.lambda_1 / alpha


def scikit_learn(sae: ElasticNetSAE, tol: float) -> Solver:
    """Coordinate descent with a Gram matrix, as `sparse_encode(algorithm="lasso_cd")` has it."""
    atoms = np.asfortranarray(sae.components_.T.astype(np.float64))
    alpha, l1_ratio = strengths(sae)
    model = ElasticNet(
        alpha, l1_ratio=l1_ratio, positive=True, fit_intercept=False, precompute=atoms.T @ atoms,
        tol=tol, max_iter=10_000,
    )  # fmt: skip
    return lambda target: model.fit(atoms, target).coef_


def skglm(sae: ElasticNetSAE, tol: float) -> Solver:
    """Working sets and Anderson acceleration, compiled by numba."""
    from skglm import GeneralizedLinearEstimator
    from skglm.datafits import Quadratic
    from skglm.penalties import L1_plus_L2
    from skglm.solvers import AndersonCD

    atoms = np.asfortranarray(sae.components_.T.astype(np.float64))
    penalty = L1_plus_L2(*strengths(sae), positive=True)
    solver = AndersonCD(tol=tol, fit_intercept=False, max_iter=200)
    model = GeneralizedLinearEstimator(Quadratic(), penalty, solver)
    return lambda target: model.fit(atoms, target).coef_


def objectives(sae: ElasticNetSAE, rows: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Value of the objective of coding for each row, in double precision."""
    h = sae.input_scale_ * codes.astype(np.float64)
    wanted = sae.input_scale_ * (rows - sae.decoder_bias_).astype(np.float64)
    error = ((wanted - h @ sae.components_.astype(np.float64)) ** 2).mean(1)
    return error + sae.lambda_1 * h.sum(1) + sae.lambda_2 * (h**2).sum(1)
