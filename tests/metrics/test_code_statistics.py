import numpy as np
import pytest
from scipy import sparse

from sklearn_aensae.metrics import CodeStatistics


def feed(codes, batch_size):
    statistics = CodeStatistics()
    for start in range(0, codes.shape[0], batch_size):
        statistics.update(codes[start : start + batch_size])
    return statistics


@pytest.fixture
def codes():
    rng = np.random.default_rng(0)
    density = np.linspace(0.0, 0.3, 20)
    return np.where(rng.random((100, 20)) < density, rng.normal(size=(100, 20)), 0.0)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, sparse.csr_matrix])
@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_batch_size_does_not_matter(codes, batch_size, container):
    statistics = feed(container(codes), batch_size)
    active = codes != 0
    assert statistics.n_samples == 100
    np.testing.assert_allclose(statistics.l0, active.sum(axis=1).mean(), rtol=1e-12)
    np.testing.assert_allclose(statistics.l1, np.abs(codes).sum(axis=1).mean(), rtol=1e-12)
    np.testing.assert_allclose(statistics.feature_density, active.mean(axis=0), rtol=1e-12)
    for n_samples in (1, 5, 33, 100):
        expected = np.mean(~active[-n_samples:].any(axis=0))
        assert statistics.dead_share(n_samples) == expected


def test_rows_beyond_one_internal_batch(monkeypatch, codes):
    expected = feed(codes, 100)
    monkeypatch.setattr("sklearn_aensae.metrics._arrays._BATCH_ENTRIES", 64)
    actual = feed(codes, 100)
    np.testing.assert_array_equal(actual.feature_density, expected.feature_density)
    assert actual.dead_share(10) == expected.dead_share(10)


def test_dead_share_names_the_rows_it_lacks(codes):
    statistics = feed(codes, 7)
    with pytest.raises(ValueError, match="n_samples=101 rows were asked for, but only 100"):
        statistics.dead_share(101)
    with pytest.raises(ValueError, match="n_samples == 0, must be >= 1"):
        statistics.dead_share(0)
    with pytest.raises(TypeError, match="n_samples must be an instance of"):
        statistics.dead_share(2.5)
    with pytest.raises(TypeError, match="n_samples must be a number; got True"):
        statistics.dead_share(True)


def test_width_may_not_change():
    statistics = CodeStatistics().update(np.eye(2))
    with pytest.raises(ValueError, match="codes has 3 columns, but the batches before it had 2"):
        statistics.update(np.eye(3))


def test_needs_rows():
    for read in (
        lambda statistics: statistics.l0,
        lambda statistics: statistics.l1,
        lambda statistics: statistics.feature_density,
        lambda statistics: statistics.dead_share(),
    ):
        with pytest.raises(ValueError, match="No rows were given yet"):
            read(CodeStatistics())
