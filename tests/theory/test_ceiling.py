import tracemalloc

import numpy as np
import pytest
import torch
from helpers import exact_codes, make_data, quick

from sklearn_aensae import AdaptiveElasticNetSAE
from sklearn_aensae.theory import signal_ceiling


def test_one_atom_and_one_row():
    # Residuals lie in the ball with poles 0 and x - b = (3, 4), of radius 5 / 2.
    found = signal_ceiling([[2.0, 0.0]], [[4.0, 4.0]], lambda_1=0.5, weights=[3.0], bias=[1.0, 0.0])
    assert found == (1.5, 6.0, 4.5, 8.0, True)


def test_orthonormal_components_are_active_exactly_above_their_need():
    rng = np.random.default_rng(0)
    atoms = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    X, bias, weights = rng.normal(size=(20, 8)), rng.normal(size=8), rng.uniform(0.2, 4, 8)
    found = signal_ceiling(torch.tensor(atoms), X, lambda_1=0.2, weights=weights, bias=bias)
    active = (exact_codes(atoms, X - bias, 0.2, 0.01, weights) > 1e-9).any(axis=0)
    assert 0 < active.sum() < 8
    np.testing.assert_array_equal(found.margin > 0, active)
    assert found.can_enter[active].all()


@pytest.mark.parametrize("lambda_2", [0.0, 0.02])
def test_a_component_below_its_ceiling_is_never_active(lambda_2):
    rng = np.random.default_rng(1)
    atoms = rng.normal(size=(60, 10))
    X = rng.normal(size=(300, 10))
    weights = rng.uniform(0.2, 3, 60)
    found = signal_ceiling(atoms, X, lambda_1=1.0, weights=weights)
    active = (exact_codes(atoms, X, 1.0, lambda_2, weights) > 1e-9).any(axis=0)
    assert 5 < (~found.can_enter).sum() < 55
    assert not active[~found.can_enter].any()
    assert (found.ceiling >= found.reach).all()


def test_without_negative_cosines_the_row_itself_is_the_ceiling():
    rng = np.random.default_rng(2)
    atoms = rng.uniform(0, 1, size=(40, 10))
    X = rng.uniform(0, 1, (100, 10))
    weights = rng.uniform(0.2, 6, 40)
    found = signal_ceiling(atoms, X, lambda_1=0.3, weights=weights)
    active = (exact_codes(atoms, X, 0.3, 0.0, weights) > 1e-9).any(axis=0)
    assert 2 < (found.margin <= 0).sum() < 38
    assert not active[found.margin <= 0].any()


def test_an_atom_that_points_away_calls_in_one_that_the_row_does_not_reach():
    atoms, x = np.array([[1.0, 0.0], [-0.8, 0.6]]), np.array([[1.0, 0.5]])
    found = signal_ceiling(atoms, x, lambda_1=0.01)
    assert found.margin[1] < 0 < found.ceiling[1] - found.needed[1]
    assert exact_codes(atoms, x, 0.01)[0, 1] > 0


def test_rows_are_read_in_batches():
    rng = np.random.default_rng(0)
    X, atoms = rng.normal(size=(50_000, 4)), rng.normal(size=(3, 4))
    found = signal_ceiling(atoms, X, lambda_1=0.1)
    np.testing.assert_allclose(found.reach, (X @ atoms.T).max(axis=0), rtol=1e-12)
    norms = np.linalg.norm(X, axis=1, keepdims=True) * np.linalg.norm(atoms, axis=1)
    np.testing.assert_allclose(found.ceiling, (X @ atoms.T + norms).max(axis=0) / 2, rtol=1e-12)


def test_penalties_of_whitened_training():
    X = make_data() * np.arange(1, 9)
    params = {"lambda_1": 0.1, "lambda_2": 0.05, "input_scaling": "whiten", "dtype": "float64"}
    sae = quick(AdaptiveElasticNetSAE, **params).fit(X)
    # As docs/theory.md has it.
    rows = (X - sae.whitening_mean_) @ sae.whitening_
    bias = (sae.decoder_bias_ - sae.whitening_mean_) @ sae.whitening_
    atoms = sae.components_ @ sae.whitening_
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    strengths = {"lambda_1": sae.lambda_1_, "weights": sae.adaptive_weights_}
    codes = sae.encode(X, "exact") / sae.code_scale_
    expected = exact_codes(atoms, rows - bias, lambda_2=0.05, **strengths)
    assert (expected > 0).any()
    np.testing.assert_allclose(codes, expected, atol=1e-6)
    found = signal_ceiling(atoms, rows, bias=bias, **strengths)
    assert found.can_enter[codes.any(axis=0)].all()


def test_many_components_take_no_more_memory():
    rng = np.random.default_rng(0)
    X, atoms = rng.normal(size=(8_000, 4)), rng.normal(size=(2_000, 4))
    tracemalloc.start()
    found = signal_ceiling(atoms, X, lambda_1=0.1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # All slopes at once would be 128 MB.
    assert peak < 10e6
    np.testing.assert_allclose(found.reach, (X @ atoms.T).max(axis=0), rtol=1e-12)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"X": [[1.0, 2.0, 3.0]]}, "X must have 2 columns, as atoms have; got 3"),
        ({"weights": [1.0, -1.0]}, "weights must be positive; its least entry is -1"),
        ({"bias": [1.0]}, "bias must hold 2 finite numbers"),
        ({"lambda_1": -1.0}, "lambda_1 == -1"),
    ],
)
def test_what_does_not_fit_is_named(changed, message):
    with pytest.raises(ValueError, match=message):
        signal_ceiling(np.eye(2), **({"X": np.eye(2), "lambda_1": 0.1} | changed))


def test_penalties_of_an_estimator_in_the_units_of_its_rows():
    X = 7 * make_data()
    sae = quick(AdaptiveElasticNetSAE, lambda_1=0.2, lambda_2=0.05, dtype="float64").fit(X)
    strengths = {"lambda_1": sae.lambda_1 / sae.input_scale_, "weights": sae.adaptive_weights_}
    codes = sae.encode(X, "exact")
    expected = exact_codes(sae.components_, X - sae.decoder_bias_, lambda_2=0.05, **strengths)
    np.testing.assert_allclose(codes, expected, atol=1e-6)
    found = signal_ceiling(sae.components_, X, bias=sae.decoder_bias_, **strengths)
    assert found.can_enter[codes.any(axis=0)].all()
