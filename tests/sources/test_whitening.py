"""Rows of equal variance in all directions, and the way back."""

import numpy as np
import pytest
import torch

from sklearn_aensae.sources import InputScaling, Whitening
from sklearn_aensae.sources.whitening import RIDGE

RNG = np.random.default_rng(0)
X = RNG.normal(size=(500, 6)) @ RNG.normal(size=(6, 6)) + 3


def fitted(rows):
    return Whitening.fit(torch.tensor(rows))


def test_the_formula():
    whitening = fitted(X)
    covariance = np.cov(X.T, bias=True)
    ridge = RIDGE * np.trace(covariance) / 6
    by_hand = np.linalg.inv(covariance + ridge * np.eye(6))
    squared = whitening.matrix @ whitening.matrix
    np.testing.assert_allclose(squared / squared[0, 0], by_hand / by_hand[0, 0], rtol=1e-8)
    np.testing.assert_array_equal(whitening.matrix, whitening.matrix.T)
    assert (np.linalg.eigvalsh(whitening.matrix) > 0).all()
    rows = whitening.apply(torch.tensor(X)).numpy()
    np.testing.assert_allclose(rows, (X - X.mean(0)) @ whitening.matrix, atol=1e-10)
    assert np.linalg.norm(rows, axis=1).mean() == pytest.approx(np.sqrt(6))
    variances = np.linalg.eigvalsh(covariance)
    shares = np.sort(variances / (variances + ridge))
    found = np.linalg.eigvalsh(np.cov(rows.T, bias=True))
    np.testing.assert_allclose(found / found[-1], shares / shares[-1], rtol=1e-8)


def test_a_direction_of_little_variance_is_whitened_by_half():
    rows = RNG.normal(size=(100_000, 2)) * [1, np.sqrt(RIDGE / 2)]
    variances = fitted(rows).apply(torch.tensor(rows)).var(0)
    assert float(variances[1] / variances[0]) == pytest.approx(0.5, rel=0.03)


@pytest.mark.parametrize(
    "rows",
    [X, X[:3], X[:2], X * [1, 0, 1, 1, 0, 1], np.repeat(X[:, :1], 6, 1), X * 1e9, X * 1e-9],
    ids=["full", "few", "two", "constant", "equal", "large", "small"],
)
def test_the_way_back_is_exact_whatever_the_rank(rows):
    whitening = fitted(rows)
    there = whitening.apply(torch.tensor(rows))
    assert float(there.norm(dim=1).mean()) == pytest.approx(np.sqrt(6))
    np.testing.assert_allclose(whitening.undo(there), rows, atol=1e-10 * np.abs(rows).max())
    assert np.linalg.cond(whitening.matrix) <= np.sqrt(1 + 6 / RIDGE) * (1 + 1e-6)


@pytest.mark.parametrize("rows", [np.zeros((3, 4)), np.full((5, 4), 0.1), X[:1]])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_that_are_all_alike_are_only_centred(rows, dtype):
    rows = rows.astype(dtype)
    whitening = fitted(rows)
    np.testing.assert_array_equal(whitening.matrix, np.eye(rows.shape[1]))
    assert not whitening.apply(torch.tensor(rows)).any()


def test_float32_rows_stay_so():
    rows = torch.tensor(X, dtype=torch.float32)
    whitening = fitted(X)
    there = whitening.apply(rows)
    assert there.dtype == torch.float32
    np.testing.assert_allclose(whitening.undo(there), X, atol=1e-4)
    assert whitening.apply(rows.double()).dtype == torch.float64


def test_scaling_uses_it_and_states_it():
    rows = torch.tensor(X)
    scaling = InputScaling.fit("whiten", rows)
    again = InputScaling.from_state(scaling.state())
    for it in (scaling, again):
        scaled, wanted = it.prepare_(rows.clone(), 0)
        assert scaled is wanted
        np.testing.assert_array_equal(scaled, fitted(X).apply(rows))
        np.testing.assert_array_equal(it.scale(rows), scaled)
        assert it.factor == it.factors(rows) == 1


def test_states_of_before_are_read():
    state = InputScaling.fit("mean_norm", torch.tensor(X)).state()
    assert state.pop("whitening") is None
    assert InputScaling.from_state(state) == InputScaling.fit("mean_norm", torch.tensor(X))
