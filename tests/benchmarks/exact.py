"""Exact codes: rows per second against scikit-learn's coordinate descent, and errors of both."""

import time
import warnings
from typing import Any

import numpy as np
from sklearn.linear_model import ElasticNet

from sklearn_aensae import ElasticNetSAE
from sklearn_aensae.datasets import make_sparse_codes

from .machine import describe

__all__ = ["run_exact"]

STRENGTHS = ((0.003, 0.0), (0.003, 1e-3))


def run_exact(
    n_rows: int = 4_096, *, n_features: int = 256, n_components: int = 2_048, n_steps: int = 400
) -> dict[str, Any]:
    """Code held-out rows on trained dictionaries, without and with a ridge."""
    X, _, _ = make_sparse_codes(
        20_000 + n_rows, n_features, n_components, n_active=16, noise_std=0.05, dtype=np.float32,
        random_state=0,
    )  # fmt: skip
    train, rows = X[:-n_rows], X[-n_rows:]
    records = []
    for lambda_1, lambda_2 in STRENGTHS:
        sae = ElasticNetSAE(
            n_components, lambda_1=lambda_1, lambda_2=lambda_2, max_steps=n_steps, batch_size=512,
            learning_rate=4e-3, device="cpu", random_state=0,
        ).fit(train)  # fmt: skip
        records += [{"lambda_2": lambda_2, **record} for record in compare(sae, rows)]
    sizes = {"n_rows": n_rows, "n_features": n_features, "n_components": n_components}
    return {"part": "exact", "machine": describe(), "sizes": sizes, "methods": records}


def compare(sae: ElasticNetSAE, rows: np.ndarray) -> list[dict[str, Any]]:
    """Time the encoder, our exact codes and scikit-learn's; errors are from the least value."""
    few = rows[: max(1, len(rows) // 16)]
    timed = {
        "encoder": (rows, lambda x: sae.encode(x, "encoder")),
        "exact (ours)": (rows, lambda x: sae.encode(x, "exact")),
        "ElasticNet, tol=1e-4": (few, lambda x: by_scikit_learn(sae, x, 1e-4)),
        "ElasticNet, tol=1e-7": (few, lambda x: by_scikit_learn(sae, x, 1e-7)),
    }
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


def by_scikit_learn(sae: ElasticNetSAE, rows: np.ndarray, tol: float) -> np.ndarray:
    """Codes by coordinate descent with a Gram matrix, in the units of the rows."""
    scale, atoms = sae.input_scale_, sae.components_.astype(np.float64)
    strength = 0.5 * sae.lambda_1 + sae.lambda_2
    model = ElasticNet(
        strength, l1_ratio=0.5 * sae.lambda_1 / strength, positive=True, fit_intercept=False,
        precompute=atoms @ atoms.T, tol=tol, max_iter=10_000,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        targets = scale * (rows - sae.decoder_bias_)
        return model.fit(atoms.T, targets.T.astype(np.float64)).coef_ / scale


def objectives(sae: ElasticNetSAE, rows: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Value of the objective of coding for each row, in double precision."""
    h = sae.input_scale_ * codes.astype(np.float64)
    wanted = sae.input_scale_ * (rows - sae.decoder_bias_).astype(np.float64)
    error = ((wanted - h @ sae.components_.astype(np.float64)) ** 2).mean(1)
    return error + sae.lambda_1 * h.sum(1) + sae.lambda_2 * (h**2).sum(1)
