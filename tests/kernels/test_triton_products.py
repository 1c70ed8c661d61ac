"""Sparse products of every backend against dense ones, and Triton's step against torch's.

Without a GPU the kernels run in Triton's interpreter (see tests/conftest.py). Where Triton is not
installed, torch's own products are all there is to test.
"""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from sklearn_aensae import TopKSAE, kernels
from sklearn_aensae.kernels import (
    active_decode,
    active_encode,
    select_top,
    torch_products,
    use_triton,
)
from sklearn_aensae.kernels.products import products_on

HAS_TRITON = importlib.util.find_spec("triton") is not None
BACKENDS = ["torch", "triton"] if HAS_TRITON else ["torch"]
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}

COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from sklearn_aensae.kernels import triton_products

values, indices = "*fp32", "*i32"
kernels = {
    triton_products._product: [values, indices, indices, values, values, "i32"],
    triton_products._sampled_product: [indices, indices, values, values, values, "i32"],
}
for kernel, types in kernels.items():
    source = ASTSource(kernel, dict(zip(kernel.arg_names, types, strict=True)))
    compiled = triton.compile(
        source, target=GPUTarget("cuda", 80, 32), options=triton_products.OPTIONS
    )
    assert compiled.asm["cubin"]
    assert "atom" not in compiled.asm["ptx"]
"""


@pytest.fixture(params=BACKENDS)
def backend(request):
    yield use(request.param)
    use_triton(False)


def use(name):
    use_triton(name == "triton")
    return products_on(DEVICE)


def make_matrix(kind, dtype, n_rows=7, n_columns=37):
    """A sparse matrix: its dense form, and values, columns and row starts."""
    generator = np.random.default_rng(0)
    S = generator.uniform(0.5, 1, (n_rows, n_columns))
    if kind != "full":
        S *= generator.random(S.shape) < {"empty": 0, "some": 0.4, "one entry": 0}[kind]
        S[3] = 0
    if kind == "one entry":
        S[5, 11] = 1
    rows, columns = S.nonzero()
    starts = np.concatenate([[0], np.bincount(rows, minlength=n_rows).cumsum()])
    parts = (S[rows, columns], columns.astype(np.int32), starts.astype(np.int32))
    values, columns, starts = (torch.from_numpy(part).to(DEVICE) for part in parts)
    return S, values.to(dtype), columns, starts


def make_factor(n_rows, width, dtype):
    generator = torch.Generator().manual_seed(width)
    return torch.randn(n_rows, width, generator=generator, dtype=dtype).to(DEVICE)


@pytest.mark.parametrize("kind", ["empty", "one entry", "some", "full"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("width", [1, 3, 128, 200])
def test_products_against_numpy(backend, kind, dtype, width):
    S, values, columns, starts = make_matrix(kind, dtype)
    A, B = make_factor(7, width, dtype), make_factor(37, width, dtype)
    close = {"rtol": TOLERANCE[dtype], "atol": 40 * TOLERANCE[dtype]}
    expected = S @ B.cpu().numpy()
    found = backend.product(values, columns, starts, B)
    np.testing.assert_allclose(found.cpu(), expected, **close)
    # Memory that is lent holds anything, NaN included.
    lent = []

    def lend(shape):
        lent.append(torch.full(shape, torch.nan, dtype=dtype, device=DEVICE))
        return lent[0]

    found = backend.product(values, columns, starts, B, lend)
    assert all(found is out for out in lent)
    np.testing.assert_allclose(found.cpu(), expected, **close)
    sampled = (A.cpu().numpy() @ B.cpu().numpy().T)[S != 0]
    found = backend.sampled_product(columns, starts, A, B)
    np.testing.assert_allclose(found.cpu(), sampled, **close)


def test_factors_may_lie_in_memory_in_any_order(backend):
    S, values, columns, starts = make_matrix("some", torch.float64)
    A, B = (make_factor(5, n, torch.float64).T for n in (7, 37))
    strided = torch.stack([values, values], 1)[:, 0]
    product = backend.product(strided, columns, starts, B)
    np.testing.assert_allclose(product.cpu(), S @ B.cpu().numpy(), atol=1e-12)
    sampled = backend.sampled_product(columns, starts, A, B)
    np.testing.assert_allclose(sampled.cpu(), (A @ B.T).cpu().numpy()[S != 0], atol=1e-12)


def step(dtype):
    """Values, reconstruction and all gradients of a step on an active set."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"x": (9, 20), "weight": (50, 20), "bias": (50,), "offset": (20,), "atoms": (50, 20)}
    leaves = {
        name: torch.randn(shape, generator=generator, dtype=dtype).to(DEVICE).requires_grad_()
        for name, shape in shapes.items()
    }
    x, weight, bias, offset, atoms = leaves.values()
    values, pattern = active_encode(x, weight, bias, offset, lambda block: select_top(block, 6))
    reconstruction = active_decode(torch.relu(values), atoms, pattern)
    # The gradient of a sum is an expanded tensor, without memory of its own.
    ((reconstruction - x.detach()).square().mean() + values.sum()).backward()
    found = {name: leaf.grad for name, leaf in leaves.items()}
    return {**found, "values": values.detach(), "reconstruction": reconstruction.detach()}


@pytest.mark.parametrize("csr", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_step_equals_that_of_torch(backend, dtype, csr, monkeypatch):
    monkeypatch.setattr(torch_products, "_takes_csr", lambda *_: csr)
    ours = step(dtype)
    use("torch")
    for name, expected in step(dtype).items():
        tolerance = TOLERANCE[dtype]
        torch.testing.assert_close(ours[name], expected, rtol=tolerance, atol=tolerance)


def test_a_fit_ends_where_that_of_torch_does(backend):
    X = np.random.default_rng(0).normal(size=(40, 6))
    params = {"k": 3, "max_epochs": 2, "batch_size": 20, "dtype": "float64", "random_state": 0}
    params |= {"device": str(DEVICE)}
    ours = TopKSAE(16, **params).fit(X)
    use("torch")
    torchs = TopKSAE(16, **params).fit(X)
    np.testing.assert_allclose(ours.components_, torchs.components_, atol=1e-10)


def test_triton_is_used_only_where_asked_for():
    assert {products_on(torch.device(name)) for name in ("cpu", "cuda")} == {torch_products}
    if HAS_TRITON:
        assert use("triton") is kernels.triton_products
    assert use("torch") is torch_products


def test_a_missing_triton_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "sklearn_aensae.kernels.triton_products", raising=False)
    monkeypatch.delattr(kernels, "triton_products", raising=False)
    with pytest.raises(ImportError, match="use_triton\\(\\) needs Triton"):
        use_triton()
    assert products_on(torch.device("cuda")) is kernels.products.torch_products


if HAS_TRITON:

    def test_kernels_compile_without_a_gpu(tmp_path):
        """The interpreter lets pass what the compiler does not."""
        environment = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
        subprocess.run([sys.executable, "-c", COMPILE], env=environment, check=True)
