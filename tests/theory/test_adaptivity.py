import numpy as np
import pytest
from helpers import make_data, quick

from sklearn_aensae import AdaptiveLassoSAE
from sklearn_aensae.theory import effective_sample_size, pinned_share


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_components_that_are_alike_count_in_full(scale):
    activity = scale * np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    np.testing.assert_allclose(effective_sample_size(activity), 3)


def test_a_geometric_decline():
    # (sum q^j)^2 / sum q^2j = (1 + q) / (1 - q) without end.
    np.testing.assert_allclose(effective_sample_size(0.5 ** np.arange(60)), 3, rtol=1e-12)


def test_nothing_is_active():
    assert effective_sample_size(np.zeros(4)) == 0


def test_shares_at_either_bound():
    weights = [0.1, 0.1 + 1e-9, 0.5, 1.0, 9.9, 10.0, 10.0, 10.0]
    assert pinned_share(weights, 0.1, 10.0) == (0.25, 0.375, 0.625)
    assert pinned_share(weights, 0.1, 10.0, rtol=0.02) == (0.25, 0.5, 0.75)
    assert pinned_share([1.0, 1.0], 1.0, 1.0) == (1.0, 1.0, 1.0)
    assert pinned_share([0.0, 1.0], 0.0, 2.0) == (0.5, 0.0, 0.5)


def test_it_is_what_an_estimator_counts():
    bounds = {"weight_min": 0.9, "weight_max": 1.1, "normalize_weights": False}
    at_once = {"adaptation_start": 0, "adaptation_ramp": 0}
    sae = quick(AdaptiveLassoSAE, **bounds, **at_once).fit(make_data())
    assert 0 < sae.pinned_share_ < 1
    share = pinned_share(sae.adaptive_weights_, 0.9, 1.1).total
    np.testing.assert_allclose(share, sae.pinned_share_, rtol=1e-6)


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        ([], "at least one finite number"),
        ([[1.0]], "at least one finite number"),
        ([np.nan], "at least one finite number"),
        ([1.0, -2.0], "must not be negative; its least entry is -2"),
    ],
)
def test_bad_vectors_are_named(vector, message):
    with pytest.raises(ValueError, match=f"activity must.*{message}|activity {message}"):
        effective_sample_size(vector)
    with pytest.raises(ValueError, match=message):
        pinned_share(vector, 0.1, 10.0)


def test_bounds_are_in_order():
    for low, high in ((2.0, 1.0), (-1.0, 1.0), (0.0, np.inf)):
        with pytest.raises(ValueError, match="0 <= low <= high"):
            pinned_share([1.0], low, high)


@pytest.mark.parametrize(
    "wrong", [{"low": None}, {"high": "a"}, {"rtol": np.nan}, {"rtol": -1}, {"rtol": np.inf}]
)
def test_bounds_are_numbers(wrong):
    (name,) = wrong
    with pytest.raises((ValueError, TypeError), match=f"^{name} "):
        pinned_share([1.0], **({"low": 0.1, "high": 10.0} | wrong))
    with pytest.raises(ValueError, match="weights must be a vector"):
        pinned_share("a", 0.1, 10.0)
