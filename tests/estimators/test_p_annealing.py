"""PAnnealingSAE: fitted attributes, refusals, and what it was invented for."""

import numpy as np
import pytest
from helpers import make_data, quick

from sklearn_aensae import L1SAE, PAnnealingSAE
from sklearn_aensae.datasets import make_sparse_codes

X = make_data()


def test_p_reaches_its_end_and_the_penalty_does_not_jump():
    params = {"lambda_1": 0.1, "max_steps": 60, "log_interval": 1, "learning_rate": 1e-6}
    sae = quick(PAnnealingSAE, batch_size=120, lambda_warmup=0, **params).fit(X)
    assert sae.p_ == pytest.approx(0.2)
    # Weights hardly move, so that all that could change the penalty is p.
    np.testing.assert_allclose(sae.history_["lp"], sae.history_["lp"][0], rtol=1e-3)
    still = quick(PAnnealingSAE, batch_size=120, lambda_warmup=0, p_end=1.0, **params).fit(X)
    assert still.lambda_p_ == pytest.approx(0.1)
    assert sae.lambda_p_ > 0.12


def test_shares_and_steps_are_the_same_phases():
    shares = quick(PAnnealingSAE, max_steps=20, anneal_start=0.25, anneal_end=0.5).fit(X)
    steps = quick(PAnnealingSAE, max_steps=20, anneal_start=5, anneal_end=10).fit(X)
    np.testing.assert_array_equal(shares.components_, steps.components_)


def test_phases_and_powers_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="anneal_start must not come after anneal_end=0.1.* 0.5"):
        quick(PAnnealingSAE, anneal_start=0.5, anneal_end=0.1).fit(X)
    with pytest.raises(ValueError, match=r"p_end must be a number in \(0, 1\]"):
        quick(PAnnealingSAE, p_end=0.0).fit(X)
    with pytest.raises(ValueError, match=r"smoothing must be a number in \(0, inf\)"):
        quick(PAnnealingSAE, smoothing=0.0).fit(X)


def shrinkage(sae, X):
    """Best factor on the centred reconstruction: above 1 where codes are too small."""
    fitted = sae.reconstruct(X) - sae.decoder_bias_
    return float(((X - sae.decoder_bias_) * fitted).sum() / (fitted**2).sum())


def test_codes_shrink_less_than_those_of_l1_at_the_same_l0():
    data, _, _ = make_sparse_codes(1000, 16, 24, n_active=3, random_state=0)
    params = {"n_components": 24, "learning_rate": 1e-2, "max_epochs": 15, "batch_size": 100}
    annealed = quick(PAnnealingSAE, lambda_1=0.03, **params).fit(data)
    l1 = quick(L1SAE, lambda_1=0.04, **params).fit(data)
    for sae in (annealed, l1):
        print(type(sae).__name__, sae.history_["l0"][-1], shrinkage(sae, data), sae.score(data))
    assert annealed.history_["l0"][-1] == pytest.approx(l1.history_["l0"][-1], rel=0.1)
    assert abs(shrinkage(annealed, data) - 1) < 0.5 * abs(shrinkage(l1, data) - 1)
    assert annealed.score(data) > l1.score(data) + 0.02
