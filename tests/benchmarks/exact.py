"""Exact codes: rows per second against scikit-learn's and skglm's solvers, and errors of all.

Methods take turns, and each coding of all rows has its turn several times.
"""

import copy
import importlib.util
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.decomposition import sparse_encode

from sklearn_aensae import ElasticNetSAE
from sklearn_aensae.datasets import make_sparse_codes

from .machine import describe

__all__ = ["run_exact"]

EXACT = "exact (ours)"
STRENGTHS = ((0.01, 0.0), (0.01, 1e-4))
SIZES = ((256, 1_024), (512, 4_096))
PEER_ROWS = 128
"""Rows that the peers code."""

Coder = Callable[[np.ndarray], np.ndarray]
"""Codes of rows, both in the units of training."""


def run_exact(
    *,
    sizes: tuple[tuple[int, int], ...] = SIZES,
    n_steps: int = 1_500,
    n_repeats: int = 5,
) -> dict[str, Any]:
    """Code held-out rows, four per component, on dictionaries without and with a ridge."""
    records = []
    for n_features, n_components in sizes:
        n_rows = 4 * n_components
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
            setting |= {"lambda_2": lambda_2, "n_rows": n_rows}
            records += [{**setting, **record} for record in compare(sae, rows, n_repeats)]
    return {"part": "exact", "machine": describe(), "methods": records}


def compare(sae: ElasticNetSAE, rows: np.ndarray, n_repeats: int) -> list[dict[str, Any]]:
    """Time the encoder, our exact codes and the peers'; errors are from the least value."""
    few = rows[:PEER_ROWS]
    timed: dict[str, tuple[np.ndarray, Coder]] = {
        "encoder": (rows, lambda x: sae.encode(x, "encoder")),
        "refined once (ours)": (rows, clone_with(sae, refine_steps=1).transform),
        "refined twice (ours)": (rows, clone_with(sae, refine_steps=2).transform),
        EXACT: (rows, lambda x: sae.encode(x, "exact")),
        "sparse_encode": (few, in_units(sae, scikit_learn(sae, 1))),
        "sparse_encode, n_jobs=2": (few, in_units(sae, scikit_learn(sae, 2))),
    }
    if importlib.util.find_spec("skglm") is not None:
        timed["skglm, tol=1e-5"] = few, in_units(sae, skglm(sae, 1e-5))
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    codes = {name: encode(x) for name, (x, encode) in timed.items()}  # and start what is to start
    for _ in range(n_repeats):
        for name, (x, encode) in timed.items():
            started = time.perf_counter()
            encode(x)
            seconds[name].append((time.perf_counter() - started) / len(x))
    values = {name: objectives(sae, few, found[: len(few)]) for name, found in codes.items()}
    least = np.min(list(values.values()), axis=0)
    return [
        {
            "name": name,
            "rows_per_second": [1 / one for one in seconds[name]],
            "exact_is_faster_by": [
                one / ours for one, ours in zip(seconds[name], seconds[EXACT], strict=True)
            ],
            "l0": float((codes[name] > 0).sum(1).mean()),
            "mean_error": float((values[name] / least - 1).mean()),
            "worst_error": float((values[name] / least - 1).max()),
        }
        for name in timed
    ]


def clone_with(sae: ElasticNetSAE, **params: Any) -> ElasticNetSAE:
    """Return a fitted copy with other parameters."""
    return copy.copy(sae).set_params(**params)


def in_units(sae: ElasticNetSAE, encode: Coder) -> Coder:
    """Return what codes rows in their own units."""

    def wrapped(rows: np.ndarray) -> np.ndarray:
        targets = sae.input_scale_ * (rows - sae.decoder_bias_).astype(np.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return encode(targets) / sae.input_scale_

    return wrapped


def strengths(sae: ElasticNetSAE) -> tuple[float, float]:
    """Penalties in the parametrisation of scikit-learn: alpha and l1_ratio."""
    alpha = 0.5 * sae.lambda_1 + sae.lambda_2
    return alpha, 0.5 * sae.lambda_1 / alpha


def scikit_learn(sae: ElasticNetSAE, n_jobs: int) -> Coder:
    """Return the lasso of `sparse_encode`, whose products of atoms are made beforehand.

    A ridge is a lasso on atoms with entries of their own, of which products are all it takes.
    """
    atoms = sae.components_.astype(np.float64)
    n_components, n_features = atoms.shape
    gram = atoms @ atoms.T + n_features * sae.lambda_2 * np.eye(n_components)
    options = {"algorithm": "lasso_cd", "alpha": 0.5 * n_features * sae.lambda_1, "positive": True}
    return lambda targets: sparse_encode(
        targets, atoms, gram=gram, cov=atoms @ targets.T, max_iter=10_000, n_jobs=n_jobs, **options
    )


def skglm(sae: ElasticNetSAE, tol: float) -> Coder:
    """Working sets and Anderson acceleration, compiled by numba; row by row."""
    from skglm import GeneralizedLinearEstimator
    from skglm.datafits import Quadratic
    from skglm.penalties import L1_plus_L2
    from skglm.solvers import AndersonCD

    atoms = np.asfortranarray(sae.components_.T.astype(np.float64))
    penalty = L1_plus_L2(*strengths(sae), positive=True)
    solver = AndersonCD(tol=tol, fit_intercept=False, max_iter=200)
    model = GeneralizedLinearEstimator(Quadratic(), penalty, solver)
    return lambda targets: np.stack([model.fit(atoms, target).coef_ for target in targets])


def objectives(sae: ElasticNetSAE, rows: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Value of the objective of coding for each row, in double precision."""
    h = sae.input_scale_ * codes.astype(np.float64)
    wanted = sae.input_scale_ * (rows - sae.decoder_bias_).astype(np.float64)
    error = ((wanted - h @ sae.components_.astype(np.float64)) ** 2).mean(1)
    return error + sae.lambda_1 * h.sum(1) + sae.lambda_2 * (h**2).sum(1)
