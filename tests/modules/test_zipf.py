"""Zipf densities against their definition."""

import math

import numpy as np
import pytest

from sklearn_aensae.modules.zipf import zipf_densities


def test_without_a_clip_it_is_the_law():
    found = zipf_densities(4, 1, exponent=1.0, offset=2.0).numpy()
    law = np.array([1 / 3, 1 / 4, 1 / 5, 1 / 6])
    np.testing.assert_allclose(found, law / law.sum(), rtol=1e-14)


def test_what_is_clipped_goes_to_the_others():
    # 3 / (1 + 1/2 + 1/3 + 1/4) = 1.44 for the first; then 2 / 2 / (13/12) = 0.92 for the second.
    found = zipf_densities(4, 3, exponent=1.0, offset=0.0).numpy()
    np.testing.assert_allclose(found, [1, 12 / 13, 8 / 13, 6 / 13], rtol=1e-14)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.0, 50.0])
@pytest.mark.parametrize("offset", [0.0, 3.0])
@pytest.mark.parametrize(("n_components", "k"), [(1, 1), (7, 7), (50, 1), (50, 20), (1000, 32)])
def test_shares_of_rows(exponent, offset, n_components, k):
    found = zipf_densities(n_components, k, exponent, offset).numpy()
    assert found.sum() == pytest.approx(k, rel=1e-12)
    assert (found <= 1).all()
    assert (found > 0).all() or exponent == 50
    assert (np.diff(found) <= 0).all()
    # Where nothing is clipped, one constant times the law.
    law = (np.arange(1, n_components + 1) + offset) ** -exponent
    free = found < 1
    if free.any():
        np.testing.assert_allclose(found[free] / law[free], found[-1] / law[-1], rtol=1e-9)
    if exponent == 0:
        np.testing.assert_allclose(found, k / n_components, rtol=1e-12)


@pytest.mark.parametrize(("n_components", "k"), [(50, 20), (128, 8), (1000, 32), (16384, 32)])
def test_an_offset_of_k_bounds_the_first_rank(n_components, k):
    assert zipf_densities(n_components, k, 1.0, k)[0] <= 1 / math.log(1 + n_components / k)
