"""Codes as an active set against the same codes dense."""

import numpy as np
import pytest
import torch
from helpers import from_slots

from sklearn_aensae.kernels import ActiveCodes, DenseCodes

N_ROWS, N_SLOTS, N_COMPONENTS, N_FEATURES = 7, 4, 11, 5


def make_active(n_rows=N_ROWS, n_slots=N_SLOTS, seed=0):
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(n_rows, n_slots, generator=generator, dtype=torch.float64)
    values[0] = 0  # a row without any active code
    values[1:, 0] = 0  # a slot that is not needed
    order = torch.rand(n_rows, N_COMPONENTS, generator=generator).argsort(1)
    return values, order[:, :n_slots]


@pytest.fixture(params=[N_SLOTS, N_COMPONENTS, 1], ids=["some", "all", "one"])
def active(request):
    return from_slots(*make_active(n_slots=request.param), N_COMPONENTS)


def test_dense():
    values, columns = make_active()
    expected = np.zeros((N_ROWS, N_COMPONENTS))
    for row in range(N_ROWS):
        for value, index in zip(values[row], columns[row], strict=True):
            expected[row, index] = value
    np.testing.assert_array_equal(from_slots(values, columns, N_COMPONENTS).dense(), expected)


@pytest.mark.parametrize("kind", ["active", "dense"])
def test_operations_against_numpy(active, kind):
    dense = active.dense().numpy()
    codes = active if kind == "active" else DenseCodes(active.dense())
    atoms = torch.randn(N_COMPONENTS, N_FEATURES, dtype=torch.float64)
    np.testing.assert_allclose(codes.row_sums(), dense.sum(1))
    np.testing.assert_allclose(codes.square_sum, (dense**2).sum())
    np.testing.assert_allclose(codes.component_sums, dense.sum(0))
    np.testing.assert_array_equal(codes.firing_counts, (dense > 0).sum(0))
    np.testing.assert_allclose(codes.decode(atoms), dense @ atoms.numpy(), atol=1e-12)
    np.testing.assert_allclose(codes.l0(), (dense > 0).sum(1).mean())
    np.testing.assert_allclose(codes.scaled(2.0).dense(), 2 * dense)
    per_row = torch.rand(N_ROWS, 1, dtype=torch.float64)
    np.testing.assert_allclose(codes.scaled(per_row).dense(), dense * per_row.numpy())
    per_component = torch.rand(N_COMPONENTS, dtype=torch.float64)
    weighted = codes.weighted(per_component)
    assert type(weighted) is type(codes)
    np.testing.assert_allclose(weighted.dense(), dense * per_component.numpy())
    csr = codes.csr()
    np.testing.assert_array_equal(csr.toarray(), dense)
    assert csr.nnz == (dense > 0).sum()


def test_gradients_agree(active):
    gradients = []
    for kind in (ActiveCodes, DenseCodes):
        values = active.values.clone().requires_grad_()
        atoms = torch.ones(N_COMPONENTS, N_FEATURES, dtype=torch.float64)
        atoms = (atoms * torch.arange(N_FEATURES)).requires_grad_()
        codes = ActiveCodes(values, active.pattern)
        codes = codes if kind is ActiveCodes else DenseCodes(codes.dense())
        loss = (codes.decode(atoms) - 1).square().mean() + codes.square_sum
        weights = torch.arange(N_COMPONENTS).double()
        loss = loss + codes.row_sums().square().mean() + codes.component_sums.square() @ weights
        gradients.append(torch.autograd.grad(loss, (values, atoms)))
    for ours, dense in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, dense, rtol=1e-12, atol=1e-12)
