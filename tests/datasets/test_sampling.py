import math

import numpy as np
import pytest
from scipy import stats

from sklearn_aensae.datasets._sampling import draw_codes, draw_directions


@pytest.fixture
def rng():
    return np.random.RandomState(0)


@pytest.mark.parametrize(("n_components", "n_active"), [(5, 2), (5, 4), (6, 3)])
def test_every_support_is_equally_likely(rng, n_components, n_active):
    codes = draw_codes(rng, 30_000, n_components, n_active=n_active, signed=False)
    supports = codes.indices.reshape(-1, n_active)
    _, counts = np.unique(supports, axis=0, return_counts=True)
    assert len(counts) == math.comb(n_components, n_active)
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("n_active", [1, 7, 16])
def test_exactly_n_active_distinct_components(rng, n_active):
    codes = draw_codes(rng, 500, 16, n_active=n_active, signed=False)
    assert codes.has_canonical_format
    np.testing.assert_array_equal((codes.toarray() != 0).sum(axis=1), n_active)


def test_magnitudes_are_uniform_from_one_to_three(rng):
    codes = draw_codes(rng, 2000, 64, n_active=8, signed=False)
    assert stats.kstest(codes.data, stats.uniform(1.0, 2.0).cdf).pvalue > 1e-3


def test_signs_are_fair(rng):
    codes = draw_codes(rng, 2000, 64, n_active=8, signed=True)
    assert stats.binomtest(int((codes.data > 0).sum()), codes.nnz).pvalue > 1e-3
    assert stats.kstest(np.abs(codes.data), stats.uniform(1.0, 2.0).cdf).pvalue > 1e-3


def test_directions_are_unit_and_isotropic(rng):
    directions = draw_directions(rng, 20_000, 3)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1.0)
    np.testing.assert_allclose(directions.mean(axis=0), 0.0, atol=0.02)
    np.testing.assert_allclose(directions.T @ directions / 20_000, np.eye(3) / 3, atol=0.01)
