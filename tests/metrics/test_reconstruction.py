import numpy as np
import pytest
import torch
from sklearn.metrics import explained_variance_score, r2_score
from sklearn.metrics.pairwise import paired_cosine_distances

from sklearn_aensae.metrics import (
    centered_shrinkage,
    cosine_similarity,
    explained_variance,
    fraction_of_variance_unexplained,
)

METRICS = [
    explained_variance,
    fraction_of_variance_unexplained,
    cosine_similarity,
    centered_shrinkage,
]


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4)) * [1.0, 2.0, 3.0, 4.0] + 5.0
    return X, 0.8 * X + 0.3 * rng.normal(size=X.shape)


def test_explained_variance_is_the_variance_weighted_r2(pair):
    expected = r2_score(*pair, multioutput="variance_weighted")
    np.testing.assert_allclose(explained_variance(*pair), expected, rtol=1e-12)
    np.testing.assert_allclose(fraction_of_variance_unexplained(*pair), 1.0 - expected, rtol=1e-12)


def test_explained_variance_agrees_with_scikit_learn_where_the_mean_is_right(pair):
    X, X_reconstructed = pair
    X_reconstructed = X_reconstructed - X_reconstructed.mean(axis=0) + X.mean(axis=0)
    expected = explained_variance_score(X, X_reconstructed, multioutput="variance_weighted")
    np.testing.assert_allclose(explained_variance(X, X_reconstructed), expected, rtol=1e-12)


def test_explained_variance_of_the_mean_is_zero(pair):
    X, _ = pair
    mean = np.broadcast_to(X.mean(axis=0), X.shape)
    np.testing.assert_allclose(explained_variance(X, mean), 0.0, atol=1e-12)


@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_constant_data_follow_r2_score(offset):
    X = np.full((5, 2), 3.0)
    expected = r2_score(X, X + offset, multioutput="variance_weighted")
    assert explained_variance(X, X + offset) == expected


def test_cosine_similarity_matches_scikit_learn(pair):
    expected = 1.0 - paired_cosine_distances(*pair).mean()
    np.testing.assert_allclose(cosine_similarity(*pair), expected, rtol=1e-12)


def test_cosine_similarity_of_zero_rows():
    zero, row = np.zeros((1, 2)), np.ones((1, 2))
    assert cosine_similarity(zero, zero) == 1.0
    assert cosine_similarity(zero, row) == cosine_similarity(row, zero) == 0.0


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_centered_shrinkage_is_the_slope_whatever_the_means(pair, slope):
    X, _ = pair
    np.testing.assert_allclose(centered_shrinkage(X, slope * X - 7.0), slope, atol=1e-12)


def test_centered_shrinkage_is_the_least_squares_slope(pair):
    x, xhat = (array - array.mean(axis=0) for array in pair)
    expected = np.linalg.lstsq(x.reshape(-1, 1), xhat.reshape(-1), rcond=None)[0][0]
    np.testing.assert_allclose(centered_shrinkage(*pair), expected, rtol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_float16_does_not_overflow(metric):
    X = np.array([[60000.0, -60000.0], [1.0, 2.0]], dtype=np.float16)
    X_reconstructed = -X
    expected = metric(X.astype(np.float64), X_reconstructed.astype(np.float64))
    assert np.isfinite(expected)
    assert metric(X, X_reconstructed) == expected


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("metric", METRICS)
def test_tensors(pair, metric, dtype):
    tensors = [torch.tensor(array, dtype=dtype, requires_grad=True) for array in pair]
    expected = metric(*(tensor.detach().double().numpy() for tensor in tensors))
    assert metric(*tensors) == expected


@pytest.mark.parametrize("metric", METRICS)
def test_refuses_what_it_cannot_judge(metric):
    X = np.eye(3)
    with pytest.raises(ValueError, match=r"same shape, got \(3, 3\) and \(2, 3\)"):
        metric(X, X[:2])
    with pytest.raises(ValueError, match=r"X must have two dimensions, got shape \(3,\)"):
        metric(X[0], X[0])
    with pytest.raises(ValueError, match=r"X_reconstructed must have two dimensions, got"):
        metric(X, X[0])
    with pytest.raises(ValueError, match="Input X_reconstructed contains NaN"):
        metric(X, np.where(X > 0, np.nan, X))
    with pytest.raises(ValueError, match="Input X contains infinity"):
        metric(np.where(X > 0, np.inf, X), X)
    with pytest.raises(ValueError, match=r"0 sample"):
        metric(X[:0], X[:0])
