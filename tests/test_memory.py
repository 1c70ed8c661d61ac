"""Memory follows what is active: peaks of fresh processes, in MiB."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

CHILD = """
import numpy as np
import torch
from tests.benchmarks.machine import peak_memory
from sklearn_aensae import {names}

torch.set_num_threads(1)
X = np.random.default_rng(0).normal(size=({n_rows}, 16)).astype(np.float32)
warm = {cls}(64, max_steps=2, device="cpu", **{options}).fit(X[:100])
warm.transform(X[:100])
before = peak_memory()
{work}
print(peak_memory() - before)
"""


def peak(cls, work, n_rows, **options):
    """Extra MiB that some work takes at its peak."""
    names, options = cls, repr(options)
    code = CHILD.format(names=names, cls=cls, work=work, n_rows=n_rows, options=options)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def test_a_step_never_holds_all_pre_codes():
    """4,096 rows x 131,072 components would take 2 GiB, and a dense step three times that."""
    work = "TopKSAE(131_072, k=4, batch_size=4096, max_steps=2, device='cpu').fit(X)"
    assert peak("TopKSAE", work, 4096, k=4) < 512


def test_blocks_leave_no_holes_on_the_heap():
    """Blocks of 24 MB come from the heap, where small results between them would pile them up.

    All pre-codes of 4,096 rows x 24,576 components take 384 MiB.
    """
    work = "TopKSAE(24_576, k=4, batch_size=4096, max_steps=4, device='cpu').fit(X)"
    assert peak("TopKSAE", work, 4096, k=4) < 192


@pytest.mark.parametrize("cls", ["TopKSAE", "L1SAE"])
def test_sparse_codes_never_are_dense(cls):
    """20,000 rows x 16,384 components would take 1.2 GiB."""
    options = {"k": 4} if cls == "TopKSAE" else {"lambda_1": 1.0}
    work = f"""
sae = {cls}(16_384, sparse_output=True, max_steps=1, batch_size=64, device="cpu", **{options})
sae.fit(X[:64])
module = sae.net_.module_
rows = torch.from_numpy(X[:100]) * sae.input_scale_
with torch.no_grad():
    pre_codes = (rows - module.decoder.bias) @ module.encoder.weight.T
    module.encoder.bias -= pre_codes.quantile(0.998, dim=1).mean()
module.activation.density = 0.01
codes = sae.transform(X)
assert 0 < codes.nnz < 100 * len(X), codes.nnz / len(X)
"""
    assert peak(cls, work, 20_000, **options) < 400
