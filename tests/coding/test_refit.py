"""Normal equations against least squares with all rows at once."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_aensae.coding import NormalEquations, refit


def problem(n_rows=60, n_components=7, n_outputs=4, density=0.4, seed=0):
    rng = np.random.default_rng(seed)
    codes = rng.uniform(0.5, 2, (n_rows, n_components)) * (
        rng.random((n_rows, n_components)) < density
    )
    shares = rng.uniform(0.5, 2, (n_rows, 1))
    return codes, shares, rng.normal(size=(n_rows, n_outputs))


def solved(codes, shares, residuals, ridge, n_parts=3):
    equations = NormalEquations(codes.shape[1], residuals.shape[1])
    for part in np.array_split(np.arange(len(codes)), n_parts):
        equations.add(sparse.csr_array(codes[part]), shares[part], residuals[part])
    return equations.solve(ridge)


@pytest.mark.parametrize("dense_from", [0.0, 1.0], ids=["dense", "sparse"])
@pytest.mark.parametrize("ridge", [0.0, 1e-3, 1.0, 50.0])
def test_equals_ridge_regression_of_augmented_rows(ridge, dense_from, monkeypatch):
    monkeypatch.setattr(refit, "DENSE", dense_from)
    monkeypatch.setattr(refit, "PAIRS", 50)
    codes, shares, residuals = problem()
    atoms, bias = solved(codes, shares, residuals, ridge)
    # A ridge is rows more: each says that one atom does not change, with the size of its codes.
    mean_squares = [(c[c > 0] ** 2).mean() for c in codes.T]
    prior = np.diag(np.sqrt(ridge * np.array(mean_squares)))
    design = np.block([[codes, shares], [prior, np.zeros((7, 1))]])
    wanted = np.vstack([residuals, np.zeros((7, 4))])
    expected = np.linalg.lstsq(design, wanted, rcond=None)[0]
    np.testing.assert_allclose(atoms, expected[:-1], atol=1e-10)
    np.testing.assert_allclose(bias, expected[-1], atol=1e-10)


def error(codes, shares, residuals, atoms, bias):
    return ((residuals - codes @ atoms - shares * bias) ** 2).sum()


@pytest.mark.parametrize("ridge", [0.0, 1e-13, 1.0, 1e6])
@pytest.mark.parametrize("n_rows", [1, 5, 200])
def test_the_error_never_rises(ridge, n_rows):
    codes, shares, residuals = problem(n_rows=n_rows, n_components=20)
    codes[:, 3] = 2 * codes[:, 5]  # cannot be told apart
    codes[:, 7] = 3 * shares[:, 0]  # nor this from the bias
    found = error(codes, shares, residuals, *solved(codes, shares, residuals, ridge))
    assert found <= (residuals**2).sum() * (1 + 1e-12)
    if ridge < 1e-6:
        design = np.hstack([codes, shares])
        best = residuals - design @ np.linalg.lstsq(design, residuals, rcond=None)[0]
        assert found == pytest.approx((best**2).sum(), abs=1e-8)


def test_who_never_fires_keeps_its_atom_and_a_large_ridge_keeps_all():
    codes, shares, residuals = problem()
    codes[:, 2] = 0
    for ridge in (0.0, 1.0):
        atoms, bias = solved(codes, shares, residuals, ridge)
        assert not atoms[2].any()
        assert atoms[[0, 1, 3, 4, 5, 6]].any(1).all()
        assert bias.any()
    atoms, bias = solved(codes, shares, residuals, 1e12)
    np.testing.assert_allclose(atoms, 0, atol=1e-9)
    np.testing.assert_allclose(bias, np.linalg.lstsq(shares, residuals, rcond=None)[0][0])


def test_without_any_code_the_bias_alone_is_fitted():
    codes, shares, residuals = problem()
    atoms, bias = solved(codes * 0, shares, residuals, 0.0)
    assert not atoms.any()
    np.testing.assert_allclose(bias, np.linalg.lstsq(shares, residuals, rcond=None)[0][0])


def test_units_of_codes_do_not_matter():
    codes, shares, residuals = problem()
    units = np.logspace(-3, 3, 7)
    first, second = (solved(c, shares, residuals, 2.0) for c in (codes, codes * units))
    np.testing.assert_allclose(first[0], second[0] * units[:, None], rtol=1e-8)
    np.testing.assert_allclose(first[1], second[1], rtol=1e-8)


@pytest.mark.parametrize("ridge", [0.0, 1.0])
def test_what_no_row_tells_of_does_not_change(ridge):
    codes, shares, residuals = problem()
    codes[:, 2] = 0
    for some in (codes, 0 * codes):
        atoms, bias = solved(some, 0 * shares, residuals, ridge)
        assert not bias.any()
        assert atoms[~some.any(axis=0)].any() == 0
        assert np.isfinite(atoms).all() and atoms.any() == some.any()
