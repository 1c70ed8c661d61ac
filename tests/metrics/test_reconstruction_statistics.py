from fractions import Fraction

import numpy as np
import pytest

from sklearn_aensae.metrics import ReconstructionStatistics

NAMES = [
    "explained_variance",
    "fraction_of_variance_unexplained",
    "cosine_similarity",
    "centered_shrinkage",
]


def feed(X, X_reconstructed, batch_size):
    statistics = ReconstructionStatistics()
    for start in range(0, len(X), batch_size):
        rows = slice(start, start + batch_size)
        statistics.update(X[rows], X_reconstructed[rows])
    return statistics


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 5)) * [1.0, 2.0, 3.0, 4.0, 5.0] + 3.0
    return X, 0.7 * X + rng.normal(size=X.shape)


@pytest.mark.parametrize("batch_size", [1, 7])
@pytest.mark.parametrize("name", NAMES)
def test_batch_size_does_not_matter(pair, name, batch_size):
    whole, parts = feed(*pair, batch_size=100), feed(*pair, batch_size)
    assert parts.n_samples == whole.n_samples == 100
    np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-12)


def test_rows_beyond_one_internal_batch(monkeypatch, pair):
    expected = feed(*pair, batch_size=100)
    monkeypatch.setattr("sklearn_aensae.metrics._arrays._BATCH_ENTRIES", 16)
    actual = feed(*pair, batch_size=100)
    for name in NAMES:
        np.testing.assert_allclose(getattr(actual, name), getattr(expected, name), rtol=1e-12)


@pytest.mark.parametrize("batch_size", [1, 7, 50])
@pytest.mark.parametrize("outlier", [False, True])
def test_huge_mean_loses_no_digits(batch_size, outlier):
    rng = np.random.default_rng(1)
    X = 1e9 + rng.normal(size=(50, 2))
    X[0] += 1e6 * outlier
    X_reconstructed = X + 0.1 * rng.normal(size=X.shape)

    exact, exact_reconstructed = (
        [[Fraction(float(value)) for value in column] for column in array.T]
        for array in (X, X_reconstructed)
    )
    variation = covariation = error = Fraction(0)
    for x, xhat in zip(exact, exact_reconstructed, strict=True):
        mean, mean_reconstructed = sum(x) / 50, sum(xhat) / 50
        variation += sum((a - mean) ** 2 for a in x)
        covariation += sum(
            (a - mean) * (b - mean_reconstructed) for a, b in zip(x, xhat, strict=True)
        )
        error += sum((a - b) ** 2 for a, b in zip(x, xhat, strict=True))

    statistics = feed(X, X_reconstructed, batch_size)
    np.testing.assert_allclose(
        statistics.fraction_of_variance_unexplained, float(error / variation), rtol=1e-12
    )
    np.testing.assert_allclose(
        statistics.centered_shrinkage, float(covariation / variation), rtol=1e-12
    )


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_constant_data_have_no_variance(batch_size):
    X = np.full((3, 2), 0.1)
    exact, wrong = feed(X, X, batch_size), feed(X, X + 1e-9, batch_size)
    assert (exact.explained_variance, wrong.explained_variance) == (1.0, 0.0)
    assert np.isnan(exact.centered_shrinkage)


def test_update_returns_itself_and_leaves_its_input_alone(pair):
    X, X_reconstructed = (array.copy() for array in pair)
    statistics = ReconstructionStatistics()
    assert statistics.update(X, X_reconstructed) is statistics
    np.testing.assert_array_equal(X, pair[0])
    np.testing.assert_array_equal(X_reconstructed, pair[1])


def test_width_may_not_change():
    statistics = ReconstructionStatistics().update(np.eye(2), np.eye(2))
    with pytest.raises(ValueError, match="X has 3 columns, but the batches before it had 2"):
        statistics.update(np.eye(3), np.eye(3))


@pytest.mark.parametrize("name", NAMES)
def test_needs_rows(name):
    with pytest.raises(ValueError, match="No rows were given yet"):
        getattr(ReconstructionStatistics(), name)
