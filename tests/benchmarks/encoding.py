"""Encoding many rows as CSR: rows per second against the bare product, and memory."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .machine import describe, memory
from .ours import Ours, Pace, SparseAEN, TopK
from .problem import Problem

__all__ = ["run_encoding"]

BLOCK = 512
"""Rows per bare product: the encoder's own chunking, at 16,384 components."""

TURN, N_ROUNDS = 2**15, 8
"""Rows that each encodes at a time, and how often."""


def run_encoding(
    n_rows: int = 1_000_000, *, n_features: int = 512, n_components: int = 16_384, l0: int = 32
) -> dict[str, Any]:
    """Encode all rows with TopK and with an AEN of the same density."""
    rng = np.random.default_rng(0)
    X = np.empty((n_rows, n_features), dtype=np.float32)
    for start in range(0, n_rows, 2**16):
        rows = X[start : start + 2**16]
        rng.standard_normal(out=rows, dtype=np.float32)
    sizes = {"n_components": n_components, "batch_size": 512, "k": l0, "l0": l0}
    problem = Problem(torch.from_numpy(X[:4096]), n_steps=1, **sizes)
    return {
        "part": "encoding",
        "machine": describe(),
        "sizes": {"n_rows": n_rows, "n_features": n_features, **sizes},
        "fits": [encode(cls(problem), X) for cls in (TopK, SparseAEN)],
    }


def encode(method: Ours, X: np.ndarray) -> dict[str, Any]:
    """Time one encoder, interleaved with the bare product, and then all rows for memory."""
    pace = Pace(method, lambda: None, method.start())
    sae = method.make_estimator([pace]).fit(X[:4096])
    sae.set_params(sparse_output=True)
    ours, bare = [], []
    for start in range(0, min(len(X), N_ROUNDS * TURN), TURN):
        rows = X[start : start + TURN]
        started = time.perf_counter()
        sae.transform(rows)
        ours.append((time.perf_counter() - started) / len(rows))
        bare.append(bare_product(rows, sae.encoder_weights_) / len(rows))
    forget_peak()
    before, _ = memory()
    started = time.perf_counter()
    codes = sae.transform(X)
    seconds = time.perf_counter() - started
    _, peak = memory()
    return {
        "name": method.name,
        "l0": codes.nnz / len(X),
        "ours": ours,
        "bare": bare,
        "seconds": seconds,
        "mib": peak - before,
        "csr_mib": (codes.data.nbytes + codes.indices.nbytes + codes.indptr.nbytes) / 2**20,
    }


def bare_product(rows: np.ndarray, weights: np.ndarray) -> float:
    """Seconds of the encoder's product alone, block by block into the same memory."""
    x, transposed = torch.from_numpy(rows), torch.from_numpy(weights).T
    out = torch.empty(BLOCK, transposed.shape[1])
    started = time.perf_counter()
    for block in x.split(BLOCK):
        torch.mm(block, transposed, out=out[: len(block)])
    return time.perf_counter() - started


def forget_peak() -> None:
    """Let the kernel begin a new peak of resident memory; Linux only."""
    Path("/proc/self/clear_refs").write_text("5")
