"""Least squares on given supports, against SciPy's."""

import sys

import numpy as np
import pytest
import torch
from scipy.optimize import nnls
from torch.utils.flop_counter import FlopCounterMode

from sklearn_aensae.coding import Coding, debias, solve, threshold


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


def problem_of(rows, atoms, dtype=torch.float64):
    """Rows on a dictionary, without a penalty."""
    x, atoms = (torch.as_tensor(part, dtype=dtype) for part in (rows, atoms))
    return Coding(x, atoms, x.new_zeros(len(atoms)), 0.0)


@pytest.mark.parametrize("share", [0.1, 0.4], ids=["few", "more than features"])
def test_against_scipy(share):
    rows, atoms, support = make(12, share)
    columns, values = slots(support, torch.float64)
    found = debias(problem_of(rows, atoms), columns, values)
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
    whole = debias(problem_of(rows, atoms), columns, values)
    # The function hides the module of its name.
    monkeypatch.setattr(sys.modules["sklearn_aensae.coding.debias"], "WORK", 200)
    shuffled = torch.randperm(columns.shape[1], generator=torch.Generator().manual_seed(0))
    found = debias(problem_of(rows, atoms), columns[:, shuffled], values[:, shuffled])
    torch.testing.assert_close(found, whole[:, shuffled], rtol=0, atol=1e-10)


@pytest.mark.parametrize("dense", [0, 128], ids=["few atoms are read", "all atoms are read"])
@pytest.mark.parametrize("work", [200, 2**19])
@pytest.mark.parametrize("code", [debias, threshold])
def test_products_of_all_atoms_change_nothing(code, work, dense, monkeypatch):
    """Those that solving has needed are used again."""
    monkeypatch.setattr("sklearn_aensae.coding.problem.DENSE", dense)
    monkeypatch.setattr(sys.modules["sklearn_aensae.coding.debias"], "WORK", work)
    rows, atoms, _ = make(12, 0.1)
    problem, columns, values = lasso(rows, atoms * np.linspace(0.5, 2, 40)[:, None], 0.05)
    prepared = problem.prepared()
    assert problem.gram is None
    assert prepared.gram is not None
    assert prepared.prepared() is prepared
    torch.testing.assert_close(
        code(prepared, columns, values), code(problem, columns, values), rtol=0, atol=1e-10
    )


def test_single_precision():
    rows, atoms, support = make(12, 0.1)
    columns, values = slots(support, torch.float32)
    found = debias(problem_of(rows, atoms, torch.float32), columns, values)
    exact = debias(problem_of(rows, atoms), columns, values.double())
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=1e-5)


def test_rows_without_codes_have_none():
    rows, atoms, support = make(12, 0.1)
    columns, values = slots(np.zeros_like(support), torch.float64)
    assert not debias(problem_of(rows, atoms), columns, values).any()


def test_no_rows():
    none = torch.zeros(0, 3).double()
    for method in (debias, threshold):
        found = method(problem_of(torch.zeros(0, 12), np.zeros((40, 12))), none.long(), none)
        assert found.shape == (0, 3)


def test_atoms_that_no_row_has_cost_nothing():
    rows, atoms, support = make(12, 0.1)
    columns, values = slots(support, torch.float64)
    counts = []
    for n_more in (0, 1000):
        dictionary = np.concatenate([atoms, np.ones((n_more, 12))])
        with FlopCounterMode(display=False) as counter:
            debias(problem_of(rows, dictionary), columns, values)
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] > 0


def lasso(rows, atoms, alpha, tol=1e-10):
    """Penalised codes, by slots, and their problem."""
    x, atoms = torch.tensor(rows), torch.tensor(atoms)
    problem = Coding(x, atoms, torch.as_tensor(alpha).expand(len(atoms)).to(x), 0.0)
    start = torch.zeros(len(x), 1, dtype=torch.int64), x.new_zeros(len(x), 1)
    columns, values, _ = solve(problem, *start, tol=tol)
    return problem, columns, values


def dense(columns, values, n_components):
    codes = values.new_zeros(len(values), n_components).scatter_add(1, columns, values)
    return codes.numpy()


def plain_threshold(row, atoms, alpha, mask):
    """The rule for one row, in plain Python."""
    least, mask = alpha / (atoms**2).sum(1), mask.copy()
    while True:
        code = np.zeros(len(atoms))
        if mask.any():
            code[mask] = nnls(atoms[mask].T, row)[0]
        small = np.flatnonzero((code > 0) & (code < least))
        if not len(small):
            return code
        mask = code > 0
        mask[small[code[small].argsort()][: (len(small) + 1) // 2]] = False


def test_small_codes_are_dropped_and_the_rest_fitted_again():
    rows, atoms, _ = make(12, 0.1)
    # Atoms of any norm, a penalty for each.
    atoms *= np.linspace(0.5, 2, 40)[:, None]
    alpha = np.linspace(0.1, 0.5, 40)
    problem, columns, values = lasso(rows, atoms, alpha)
    found = dense(columns, threshold(problem, columns, values), 40)
    plain = dense(columns, debias(problem, columns, values), 40)
    support = dense(columns, values, 40) > 0
    expected = [
        plain_threshold(*one, mask) for *one, mask in zip(
            rows, [atoms] * 50, [alpha] * 50, support, strict=True
        )
    ]  # fmt: skip
    np.testing.assert_allclose(found, expected, atol=1e-8)
    assert not ((found > 0) & (found < alpha / (atoms**2).sum(1) - 1e-9)).any()
    assert 0.5 < (found > 0).sum() / (plain > 0).sum() < 0.95


@pytest.mark.parametrize("cosine", [1.0, 0.98])
def test_of_atoms_that_share_what_is_there_one_gets_it_all(cosine):
    atoms = np.array([[1.0, 0.0], [cosine, np.sqrt(1 - cosine**2)]])
    rows = 1.5 * atoms.mean(0, keepdims=True)
    problem, columns, values = lasso(rows, atoms, 1.0)
    columns, values = torch.tensor([[0, 1]]), torch.tensor([[0.25, 0.25]]).double()
    assert (debias(problem, columns, values) < 1).all()
    found = dense(columns, threshold(problem, columns, values), 2)
    assert (found > 0).sum() == 1
    assert found.max() == pytest.approx(1.5 * (1 + cosine) / 2)


def test_on_orthogonal_atoms_nothing_is_small():
    rng = np.random.default_rng(0)
    atoms = np.linalg.qr(rng.normal(size=(12, 12)))[0] * np.linspace(0.5, 2, 12)[:, None]
    rows = rng.normal(size=(200, 12))
    problem, columns, values = lasso(rows, atoms, 0.3)
    plain = debias(problem, columns, values)
    assert 0.2 < (plain > 0).double().mean() < 0.8
    torch.testing.assert_close(threshold(problem, columns, values), plain, rtol=0, atol=1e-12)


def test_a_row_with_nothing_but_an_atom_of_norm_0_has_no_code():
    rows, atoms, support = make(12, 0.1)
    atoms[3], support = 0, np.arange(40) == np.full((50, 1), 3)
    columns, values = slots(support, torch.float64)
    for code in (debias, threshold):
        assert not code(problem_of(rows, atoms), columns, values).any()


def test_the_size_of_blocks_does_not_depend_on_atoms_that_no_row_has(monkeypatch):
    module, counts = sys.modules["sklearn_aensae.coding.debias"], []
    monkeypatch.setattr(module, "WORK", 2_000)
    fit = module._fit
    monkeypatch.setattr(module, "_fit", lambda *system: (counts.append(1), fit(*system))[1])
    rows, atoms, support = make(12, 0.1)
    columns, values = slots(support, torch.float64)
    for n_more in (0, 1_000):
        debias(problem_of(rows, np.vstack([atoms, np.ones((n_more, 12))])), columns, values)
    assert 1 < len(counts) < 50
    assert len(counts) % 2 == 0


def test_an_atom_of_norm_0_makes_no_nan():
    rows, atoms, support = make(12, 0.1)
    atoms[3], support[:, 3] = 0, True
    columns, values = slots(support, torch.float64)
    for alpha in (0.0, 0.2):  # 0 / 0, and infinite
        strengths = torch.full((40,), alpha).double()
        problem = Coding(torch.tensor(rows), torch.tensor(atoms), strengths, 0.0)
        found = threshold(problem, columns, values)
        assert torch.isfinite(found).all()
        if not alpha:
            torch.testing.assert_close(found, debias(problem, columns, values))


def test_at_one_l0_more_of_what_is_found_is_true():
    """The support of the lasso has more that is wrong."""
    rng = np.random.default_rng(0)
    atoms = rng.normal(size=(96, 32))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    support = rng.random((2_000, 96)).argsort(1) < 4
    rows = (support * rng.uniform(1, 3, support.shape)) @ atoms + 0.1 * rng.normal(size=(2_000, 32))

    def hits(codes):
        """Share of the true components among the found ones, at four per row."""
        assert (codes > 0).sum() / len(codes) == pytest.approx(4, rel=0.03)
        return (support & (codes > 0)).sum() / (codes > 0).sum()

    def matched(code):
        low, high = np.log(1e-3), np.log(3)
        for _ in range(12):
            middle = (low + high) / 2
            problem, columns, values = lasso(rows, atoms, np.exp(middle), tol=1e-6)
            codes = dense(columns, code(problem, columns, values), 96)
            low, high = (middle, high) if (codes > 0).sum() > 4 * len(codes) else (low, middle)
        return codes

    plain = hits(matched(debias))
    better = hits(matched(threshold))
    print(f"true among the found: {plain:.3f}, {better:.3f}")
    assert better > plain + 0.02
    assert better > 0.95
