"""Least squares on given supports, against SciPy's."""

import sys

import numpy as np
import pytest
import torch
from scipy.optimize import nnls
from torch.utils.flop_counter import FlopCounterMode

from sklearn_aensae.coding import debias


def make(n_features, share, dtype=torch.float64):
    rng = np.random.default_rng(0)
    atoms = rng.normal(size=(40, n_features))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    support = rng.random((50, 40)) < share
    rows = (support * rng.exponential(size=support.shape)) @ atoms
    rows += 0.5 * rng.normal(size=rows.shape)
    return rows, atoms, support


def slots(support, dtype):
    codes = torch.tensor(support, dtype=dtype)
    n_slots = max(1, int(support.sum(1).max()))
    values, columns = codes.topk(n_slots, dim=1)
    return columns, values


@pytest.mark.parametrize("share", [0.1, 0.4], ids=["few", "more than features"])
def test_against_scipy(share):
    rows, atoms, support = make(12, share)
    columns, values = slots(support, torch.float64)
    found = debias(torch.tensor(rows), torch.tensor(atoms), columns, values)
    codes = torch.zeros(support.shape, dtype=found.dtype).scatter_add(1, columns, found).numpy()
    assert (codes >= 0).all()
    assert not codes[~support].any()
    for row, code, mask in zip(rows, codes, support, strict=True):
        if not mask.any():
            continue
        best, error = nnls(atoms[mask].T, row)
        assert np.linalg.norm(row - code @ atoms) <= error + 1e-8
        if mask.sum() <= 12:
            np.testing.assert_allclose(code[mask], best, atol=1e-8)


def test_blocks_of_rows_and_empty_slots_anywhere(monkeypatch):
    rows, atoms, support = make(12, 0.2)
    columns, values = slots(support, torch.float64)
    whole = debias(torch.tensor(rows), torch.tensor(atoms), columns, values)
    # The function hides the module of its name.
    monkeypatch.setattr(sys.modules["sklearn_aensae.coding.debias"], "WORK", 200)
    shuffled = torch.randperm(columns.shape[1], generator=torch.Generator().manual_seed(0))
    found = debias(
        torch.tensor(rows), torch.tensor(atoms), columns[:, shuffled], values[:, shuffled]
    )
    torch.testing.assert_close(found, whole[:, shuffled], rtol=0, atol=1e-10)


def test_single_precision():
    rows, atoms, support = make(12, 0.1)
    columns, values = slots(support, torch.float32)
    found = debias(torch.tensor(rows).float(), torch.tensor(atoms).float(), columns, values)
    exact = debias(torch.tensor(rows), torch.tensor(atoms), columns, values.double())
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=1e-5)


def test_rows_without_codes_have_none():
    rows, atoms, support = make(12, 0.1)
    columns, values = slots(np.zeros_like(support), torch.float64)
    assert not debias(torch.tensor(rows), torch.tensor(atoms), columns, values).any()


def test_no_rows():
    none = torch.zeros(0, 3)
    assert debias(torch.zeros(0, 12), torch.zeros(40, 12), none.long(), none).shape == (0, 3)


def test_atoms_that_no_row_has_cost_nothing():
    rows, atoms, support = make(12, 0.1)
    columns, values = slots(support, torch.float64)
    counts = []
    for n_more in (0, 1000):
        dictionary = torch.cat([torch.tensor(atoms), torch.ones(n_more, 12).double()])
        with FlopCounterMode(display=False) as counter:
            debias(torch.tensor(rows), dictionary, columns, values)
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] > 0
