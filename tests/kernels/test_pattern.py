"""Sparse products against dense ones."""

import numpy as np
import pytest
import torch

from sklearn_aensae.kernels import Pattern, Workspace


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


@pytest.mark.parametrize("small", [True, False])
def test_products(case, small, monkeypatch):
    monkeypatch.setattr("sklearn_aensae.kernels.pattern.SMALL_BYTES", 2**25 if small else 0)
    pattern, values, S, A, B = case
    np.testing.assert_allclose(pattern.product(values, B), S @ B, atol=1e-14)
    workspace = Workspace()
    with workspace.step():
        # Memory that is lent holds anything, NaN included.
        workspace.take("out", (11, 5), A).fill_(torch.nan)
    with workspace.step():
        out = pattern.transposed_product(values, A, workspace, "out")
        assert workspace.lends("out", out) != small
    np.testing.assert_allclose(out, S.T @ A, atol=1e-14)
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
