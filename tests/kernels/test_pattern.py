"""Sparse products against dense ones."""

import numpy as np
import pytest
import torch

from sklearn_aensae import _devices
from sklearn_aensae.kernels import Pattern, Workspace, torch_products


@pytest.fixture(params=[0, 0.3, 1.0], ids=["empty", "some", "full"])
def case(request):
    generator = torch.Generator().manual_seed(0)
    S = torch.rand(7, 11, generator=generator, dtype=torch.float64)
    S *= torch.rand(7, 11, generator=generator) < request.param
    S[3] = 0
    where = S != 0
    rows, columns = where.nonzero(as_tuple=True)
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), where.sum(1).cumsum(0)]).int()
    A = torch.randn(7, 5, generator=generator, dtype=torch.float64)
    B = torch.randn(11, 5, generator=generator, dtype=torch.float64)
    return Pattern(columns.int(), starts, 11), S[rows, columns], S, A, B


@pytest.mark.parametrize("csr", [True, False])
def test_products(case, csr, monkeypatch):
    monkeypatch.setattr(torch_products, "_takes_csr", lambda *_: csr)
    pattern, values, S, A, B = case
    workspace = Workspace()
    with workspace.step():
        # Memory that is lent holds anything, NaN included.
        for role in ("out", "transposed"):
            workspace.take(role, (11, 5), A).fill_(torch.nan)
    with workspace.step():
        out = pattern.product(values, B, workspace, "out")
        transposed = pattern.transposed_product(values, A, workspace, "transposed")
        assert workspace.lends("out", out) == workspace.lends("transposed", transposed) == csr
    np.testing.assert_allclose(out, S @ B, atol=1e-14)
    np.testing.assert_allclose(transposed, S.T @ A, atol=1e-14)
    sampled = (A @ B.T)[pattern.rows, pattern.columns]
    np.testing.assert_allclose(pattern.sampled_product(A, B), sampled, atol=1e-14)


def test_sums(case):
    pattern, values, S, _, _ = case
    np.testing.assert_allclose(pattern.row_sums(values), S.sum(1), atol=1e-14)
    np.testing.assert_allclose(pattern.column_sums(values), S.sum(0), atol=1e-14)


def test_transposition(case):
    pattern, values, S, _, _ = case
    order, rows, starts = pattern.transposed
    for column in range(11):
        entries = slice(int(starts[column]), int(starts[column + 1]))
        np.testing.assert_array_equal(rows[entries], np.flatnonzero(S[:, column]))
        np.testing.assert_array_equal(values[order[entries]], S[rows[entries], column])


@pytest.mark.parametrize(("processor", "n_rows", "width", "csr"), [
    ("Intel", 64, 2**14, False), ("Intel", 64, 2**15, True), ("Intel", 2**13, 2**15, True),
    ("AMD", 64, 2**15, False), ("AMD", 2**13, 2**10, False), ("AMD", 2**13, 2**11, True),
    ("AMD", 16, 2**20, False),
])  # fmt: skip
def test_which_product_is_the_faster_one(processor, n_rows, width, csr, monkeypatch):
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    monkeypatch.setattr(torch_products, "is_intel", lambda: processor == "Intel")
    b = torch.empty(32, 1).expand(32, width)
    assert torch_products._takes_csr(64, (n_rows, width), b) is csr


@pytest.mark.parametrize(("text", "intel"), [
    ("vendor_id\t: GenuineIntel\n", True), ("vendor_id\t: AuthenticAMD\n", False), (None, False),
])  # fmt: skip
def test_the_processor_is_read_from_where_the_system_tells(text, intel, monkeypatch):
    def read(_):
        if text is None:
            raise FileNotFoundError
        return text

    monkeypatch.setattr(_devices.Path, "read_text", read)
    monkeypatch.setattr(_devices.platform, "processor", lambda: "arm")
    assert _devices.is_intel.__wrapped__() is intel
