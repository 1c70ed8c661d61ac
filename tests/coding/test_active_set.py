"""The exact solver against scikit-learn, against a plain quadratic program, and at its edges."""

import numpy as np
import pytest
import torch
from scipy.optimize import nnls
from sklearn.linear_model import ElasticNet

from sklearn_aensae.coding import Coding, active_set, problem, solve, systems

TOL = {torch.float32: 1e-5, torch.float64: 1e-10}
N_ROWS, N_FEATURES, N_COMPONENTS = 30, 20, 60


def make_problem(l1, l2, dtype=torch.float64, seed=0):
    """Rows that are sparse sums of more atoms than there are features."""
    rng = np.random.default_rng(seed)
    atoms = rng.normal(size=(N_COMPONENTS, N_FEATURES))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    codes = rng.exponential(size=(N_ROWS, N_COMPONENTS)) * (
        rng.random((N_ROWS, N_COMPONENTS)) < 0.1
    )
    x = codes @ atoms + 0.05 * rng.normal(size=(N_ROWS, N_FEATURES))
    x, atoms = torch.tensor(x, dtype=dtype), torch.tensor(atoms, dtype=dtype)
    alpha = 0.5 * N_FEATURES * torch.as_tensor(l1, dtype=dtype).expand(N_COMPONENTS)
    return Coding(x, atoms, alpha.clone(), N_FEATURES * l2)


def empty(coding):
    return torch.zeros(len(coding.x), 1, dtype=torch.long), coding.x.new_zeros(len(coding.x), 1)


def dense(coding, columns, values):
    return torch.zeros(len(columns), len(coding.atoms), dtype=values.dtype).scatter_add(
        1, columns, values
    )


def slow(coding):
    """The same problem as non-negative least squares, row by row."""
    D, alpha = coding.atoms.double().numpy(), coding.alpha.double().numpy()
    factor = np.linalg.cholesky(D @ D.T + (coding.mu + 1e-13) * np.eye(len(D)))
    rows = coding.x.double().numpy()
    return np.stack(
        [nnls(factor.T, np.linalg.solve(factor, D @ x - alpha), maxiter=10_000)[0] for x in rows]
    )


def value(coding, codes):
    x, D = coding.x.double().numpy(), coding.atoms.double().numpy()
    fit = 0.5 * ((x - codes @ D) ** 2).sum(1)
    return fit + codes @ coding.alpha.double().numpy() + 0.5 * coding.mu * (codes**2).sum(1)


@pytest.mark.parametrize("l2", [0.0, 1e-3, 0.1])
@pytest.mark.parametrize("l1", [1e-3, 0.02])
def test_codes_are_those_of_scikit_learn(l1, l2):
    coding = make_problem(l1, l2)
    codes = dense(coding, *solve(coding, *empty(coding), tol=1e-12)[:2]).numpy()
    strength = 0.5 * l1 + l2
    model = ElasticNet(
        strength, l1_ratio=0.5 * l1 / strength, positive=True, fit_intercept=False, tol=1e-12,
        max_iter=100_000,
    )  # fmt: skip
    D = coding.atoms.numpy().T
    expected = np.stack([model.fit(D, x).coef_ for x in coding.x.numpy()])
    np.testing.assert_allclose(codes, expected, atol=1e-5)
    assert 0.02 < (codes > 0).mean() < 0.6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("l2", [0.0, 1e-3, 0.1])
def test_each_component_has_its_own_penalty(l2, dtype):
    strengths = 0.01 * np.random.default_rng(1).uniform(0.3, 3, N_COMPONENTS)
    coding = make_problem(strengths, l2, dtype)
    found = solve(coding, *empty(coding), tol=TOL[dtype])
    assert found.gaps.max() <= TOL[dtype]
    codes, least = dense(coding, *found[:2]).double().numpy(), value(coding, slow(coding))
    error = value(coding, codes) / least - 1
    assert np.abs(error).max() < TOL[dtype]
    # The gap bounds the error, and is no empty bound.
    rounding = {torch.float32: 1e-6, torch.float64: 1e-12}[dtype]
    assert (error <= found.gaps.numpy() + rounding).all()


@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_gaps_bound_the_error_of_any_codes(l2):
    coding = make_problem(0.01, l2)
    least, rng = value(coding, slow(coding)), np.random.default_rng(0)
    for n_slots, scale in ((1, 0.0), (5, 1.0), (30, 0.1)):
        columns = torch.tensor(
            np.stack([rng.permutation(N_COMPONENTS)[:n_slots] for _ in range(N_ROWS)])
        )
        values = torch.tensor(scale * rng.random((N_ROWS, n_slots)))
        residuals = coding.residuals(columns, values)
        slopes = coding.slopes(residuals, columns, values)
        gaps = coding.gaps(residuals, slopes, columns, values).numpy()
        primal = value(coding, dense(coding, columns, values).numpy())
        np.testing.assert_allclose(coding.objectives(residuals, columns, values), primal)
        assert (gaps >= (primal - least) / primal - 1e-12).all()
        assert (gaps <= 1).all()


@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_the_conditions_of_karush_kuhn_and_tucker_hold(l2):
    coding = make_problem(0.01, l2)
    columns, values, _ = solve(coding, *empty(coding), tol=1e-12)
    codes = dense(coding, columns, values)
    slopes = coding.slopes(coding.residuals(columns, values), columns, values)
    assert slopes.max() < 1e-8
    assert slopes[codes > 0].abs().max() < 1e-8
    assert (values >= 0).all()


@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_any_start_leads_to_the_solution(l2):
    coding = make_problem(0.01, l2)
    expected = value(coding, slow(coding))
    rng = np.random.default_rng(0)
    columns = torch.tensor(np.stack([rng.permutation(N_COMPONENTS)[:20] for _ in range(N_ROWS)]))
    found = solve(coding, columns, torch.tensor(rng.random((N_ROWS, 20))), tol=1e-10)
    np.testing.assert_allclose(
        value(coding, dense(coding, *found[:2]).numpy()), expected, rtol=1e-9
    )


def test_rows_that_run_out_of_rounds_keep_what_they_have_and_say_so():
    coding = make_problem(0.01, 0.0)
    start = coding.objectives(coding.x, *empty(coding)).numpy()
    found = solve(coding, *empty(coding), tol=1e-14, n_rounds=2)
    reached = value(coding, dense(coding, *found[:2]).numpy())
    assert (found.gaps > 1e-14).any()
    assert (reached < start).all()
    error = (reached - value(coding, slow(coding))) / reached
    assert (error <= found.gaps.numpy() + 1e-9).all()


def coherent(rho, scales, n_components=128, n_features=32):
    """Rows in single precision that are sums of atoms of given norms around one direction."""
    rng = np.random.default_rng(0)
    atoms = rng.normal(size=(n_components, n_features))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    atoms = rho * atoms[:1] + np.sqrt(1 - rho**2) * atoms
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    codes = (1 + 2 * rng.random((60, n_components))) * (rng.random((60, n_components)) < 0.03)
    x = codes @ atoms + 0.02 * rng.normal(size=(60, n_features))
    x /= np.linalg.norm(x, axis=1).mean()
    norms = np.broadcast_to(scales(rng, n_components), n_components)
    x, atoms, norms = (torch.tensor(part).float() for part in (x, atoms * norms[:, None], norms))
    return x, atoms, norms


@pytest.mark.parametrize("rho", [0.0, 0.9])
@pytest.mark.parametrize(("strength", "mu"), [(0, 1e-3), (1e-3, 0), (1e-2, 0), (1e-2, 1e-3)])
@pytest.mark.parametrize(
    "scales",
    [lambda *_: 1e-3, lambda *_: 1.0, lambda *_: 1e3, lambda rng, k: 10 ** (rng.random(k) - 0.5)],
    ids=["short", "unit", "long", "mixed"],
)
def test_single_precision_reaches_its_tolerance_and_proves_it(rho, strength, mu, scales):
    x, atoms, norms = coherent(rho, scales)
    coding = Coding(x, atoms, strength * norms, mu * float(norms.mean()) ** 2)
    found = solve(coding, *empty(coding), tol=1e-5)
    assert found.gaps.max() <= 1e-5
    double = coding.double()
    best = solve(double, *empty(double), tol=1e-12)
    least = value(double, dense(double, *best[:2]).numpy())
    ours = value(double, dense(coding, *found[:2]).double().numpy())
    # What codes leave of a row is rounded as the row is.
    rounding = 4 * np.finfo(np.float32).eps * np.linalg.norm(x, axis=1) * np.sqrt(2 * ours)
    assert (ours - least <= found.gaps.numpy() * ours + rounding).all()
    assert ours.max() > 0


def test_where_single_precision_does_not_suffice_codes_are_those_of_double():
    x, atoms, norms = coherent(0.0, lambda *_: 1.0, n_features=4)
    coding = Coding(x, atoms, 3e-4 * norms, 0.0)
    found = solve(coding, *empty(coding), tol=1e-5)
    assert found.values.dtype == torch.float32
    double = coding.double()
    best = solve(double, *empty(double), tol=1e-12)
    least = value(double, dense(double, *best[:2]).numpy())
    ours = value(double, dense(coding, *found[:2]).double().numpy())
    assert ((ours - least) / ours).max() <= found.gaps.max() <= 1e-5
    assert len(set(zip(*dense(coding, *found[:2]).nonzero().T.tolist(), strict=True))) == int(
        (found.values > 0).sum()
    )


@pytest.mark.parametrize("mu", [1e-3, 1e-1])
def test_without_a_penalty_gaps_are_no_less_than_what_codes_miss(mu):
    x, atoms, norms = coherent(0.0, lambda *_: 1.0)
    coding = Coding(x, atoms, 0 * norms, mu)
    columns, values = solve(coding, *empty(coding), tol=1e-6)[:2]
    least = coding.objectives(coding.residuals(columns, values), columns, values)
    for change in (1e-3, 1e-4, 1e-5):
        other = values * (1 + change)
        left = coding.residuals(columns, other)
        gaps = coding.gaps(left, coding.slopes(left, columns, other), columns, other)
        excess = 1 - least / coding.objectives(left, columns, other)
        assert (gaps >= 0.99 * excess - 1e-6).all()
        assert change < 1e-3 or excess.max() > 1e-6


@pytest.mark.parametrize("dtype", TOL)
def test_singular_systems_are_solved_as_well_as_others(dtype):
    """Twice the same atoms: the two together take what one would, whatever its norm."""
    rng = np.random.default_rng(0)
    atoms = torch.tensor(rng.normal(size=(3, 5)) * [[1e-4], [1.0], [1e4]], dtype=dtype)
    gram, codes = atoms @ atoms.T, torch.tensor([[3.0e4, 2.0, 1.0e-4]], dtype=dtype)
    twice, wanted = gram.repeat(2, 2)[None], (codes @ gram).repeat(1, 2)
    found = systems.solve_free(twice, wanted, torch.ones(1, 6, dtype=torch.bool))
    torch.testing.assert_close(found[:, :3] + found[:, 3:], codes, rtol=TOL[dtype] * 10, atol=0)


def test_equal_atoms_share_a_code_evenly_with_a_ridge():
    coding = make_problem(0.01, 0.01)
    twice = coding._replace(
        atoms=torch.cat([coding.atoms] * 2), alpha=torch.cat([coding.alpha] * 2)
    )
    codes = dense(twice, *solve(twice, *empty(twice), tol=1e-12)[:2])
    torch.testing.assert_close(codes[:, :N_COMPONENTS], codes[:, N_COMPONENTS:])
    assert codes.max() > 0.1


def test_equal_atoms_without_a_ridge_are_no_obstacle():
    coding = make_problem(0.01, 0.0)
    twice = coding._replace(
        atoms=torch.cat([coding.atoms] * 2), alpha=torch.cat([coding.alpha] * 2)
    )
    found = solve(twice, *empty(twice), tol=1e-8)
    assert found.gaps.max() <= 1e-8
    codes = dense(twice, *found[:2]).numpy()
    once = codes[:, :N_COMPONENTS] + codes[:, N_COMPONENTS:]
    np.testing.assert_allclose(value(coding, once), value(coding, slow(coding)), rtol=1e-7)


def test_nothing_pays_where_the_penalty_is_large_or_the_row_is_zero():
    coding = make_problem(1e3, 0.0)
    found = solve(coding, *empty(coding), tol=1e-10)
    assert not found.values.any()
    assert (found.gaps == 0).all()
    coding = make_problem(0.01, 0.0)._replace(x=torch.zeros(4, N_FEATURES, dtype=torch.float64))
    found = solve(coding, *empty(coding), tol=1e-10)
    assert not found.values.any()
    assert (found.gaps == 0).all()


def test_without_a_penalty_it_is_non_negative_least_squares():
    coding = make_problem(0.0, 0.0)
    few = coding._replace(atoms=coding.atoms[:15], alpha=coding.alpha[:15])
    codes = dense(few, *solve(few, *empty(few), tol=1e-10)[:2]).numpy()
    expected = np.stack([nnls(few.atoms.numpy().T, x)[0] for x in few.x.numpy()])
    np.testing.assert_allclose(codes, expected, atol=1e-7)


@pytest.mark.parametrize("l2", [0.0, 1e-3])
def test_products_of_all_atoms_save_work_and_change_nothing(l2, monkeypatch):
    coding = make_problem(1e-3, l2)
    assert coding.prepared().gram is not None
    with_products = dense(coding, *solve(coding, *empty(coding), tol=1e-12)[:2])
    monkeypatch.setattr(problem, "MOST_COMPONENTS", N_COMPONENTS - 1)
    assert coding.prepared().gram is None
    without = dense(coding, *solve(coding, *empty(coding), tol=1e-12)[:2])
    torch.testing.assert_close(with_products, without, rtol=0, atol=1e-9)


@pytest.mark.parametrize("l2", [0.0, 1e-2])
def test_few_codes_change_slopes_by_products_of_atoms(l2, monkeypatch):
    """As a product with all atoms gives them, empty slots with the column of another included."""
    coding = make_problem(1e-2, l2).prepared()
    columns, values, _ = solve(coding, *empty(coding), tol=1e-12)
    columns = torch.cat([columns, columns[:, :1]], dim=1)
    values = torch.cat([values, torch.zeros(N_ROWS, 1, dtype=torch.float64)], dim=1)
    residuals = coding.residuals(columns, values)
    expected = coding.slopes(residuals, columns, values)
    for few in (0, torch.inf):
        monkeypatch.setattr(problem, "FEW", few)
        wrong = torch.full_like(residuals, torch.nan) if few == 0 else residuals
        slopes = coding.slopes(wrong, columns, values, coding.first_slopes())
        torch.testing.assert_close(slopes, expected, rtol=0, atol=1e-10)


def test_blocks_are_as_large_as_their_largest_row_allows(monkeypatch):
    monkeypatch.setattr(active_set, "WORK", 100_000)
    coding = make_problem(1e-2, 0.0).prepared()
    counts = sorted(np.random.default_rng(0).integers(0, 200, 500).tolist())
    sizes = active_set._sizes(coding, counts)
    assert sum(sizes) == len(counts)
    last = np.cumsum(sizes) - 1
    slots = np.array(counts)[last] + active_set.ENTRANTS
    used = [size * coding.work(int(n)) for size, n in zip(sizes, slots, strict=True)]
    assert max(used) <= 100_000
    assert np.median(used[:-1]) > 50_000


def test_rows_that_rise_when_all_negative_codes_leave_at_once(monkeypatch):
    """They go the way that cannot rise: the start is the best there is on its support."""
    coding = make_problem(1e-3, 1e-3)
    best = solve(coding, *empty(coding), tol=1e-12)
    monkeypatch.setattr(
        active_set, "drop_negative", lambda gram, wanted, members: 0.5 * members.to(gram)
    )
    again = solve(coding, best.columns, best.values, tol=1e-12)
    torch.testing.assert_close(
        dense(coding, *again[:2]), dense(coding, *best[:2]), rtol=0, atol=1e-9
    )
