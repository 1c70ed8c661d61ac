"""GatedSAE: fitted attributes, the JumpReLU it equals, and what it was invented for."""

import numpy as np
import pytest
from helpers import codes_if_active, make_data, quick
from skorch.callbacks import Callback

from sklearn_aensae import L1SAE, GatedSAE
from sklearn_aensae.datasets import make_sparse_codes

X = make_data()


@pytest.mark.parametrize("sparse_output", [False, True])
def test_equals_a_jumprelu_of_its_magnitudes(sparse_output):
    params = {"dtype": "float64", "learning_rate": 1e-2, "max_epochs": 20}
    sae = quick(GatedSAE, sparse_output=sparse_output, **params).fit(X * 50)
    magnitudes = codes_if_active(sae, X * 50)
    active = magnitudes > np.maximum(sae.magnitude_threshold_, 0)
    codes = sae.transform(X * 50)
    codes = codes.toarray() if sparse_output else codes
    np.testing.assert_allclose(codes, np.where(active, magnitudes, 0), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(
        sae.magnitude_threshold_, sae.magnitude_bias_ - sae.magnitude_scale_ * sae.encoder_bias_
    )
    assert np.abs(sae.magnitude_scale_ - 1).max() > 0.01
    assert (sae.magnitude_threshold_ > 0).any()


def test_only_the_penalty_warms_up():
    weights = []

    class Watch(Callback):
        def on_batch_end(self, net, **kwargs):
            terms = net.criterion_.terms
            weights.append([float(terms[name].weight) for name in ("l1", "gate_reconstruction")])

    quick(GatedSAE, lambda_1=0.5, lambda_warmup=4, callbacks=[Watch()]).fit(X)
    np.testing.assert_allclose(weights[:5], [[0.1 * i, 1] for i in range(1, 6)], rtol=1e-6)


def shrinkage(sae, X):
    """Best factor on the centred reconstruction: above 1 where codes are too small."""
    fitted = sae.reconstruct(X) - sae.decoder_bias_
    return float(((X - sae.decoder_bias_) * fitted).sum() / (fitted**2).sum())


def test_codes_shrink_less_than_those_of_l1_at_the_same_l0():
    data, _, _ = make_sparse_codes(1000, 16, 24, n_active=3, random_state=0)
    params = {"n_components": 24, "learning_rate": 1e-2, "max_epochs": 15, "batch_size": 100}
    gated = quick(GatedSAE, lambda_1=0.05, **params).fit(data)
    l0 = gated.history_["l0"][-1]
    fits = [quick(L1SAE, lambda_1=s, **params).fit(data) for s in (0.03, 0.04)]
    l1 = min(fits, key=lambda sae: abs(sae.history_["l0"][-1] - l0))
    for sae in (gated, l1):
        print(type(sae).__name__, sae.history_["l0"][-1], shrinkage(sae, data), sae.score(data))
    assert l1.history_["l0"][-1] == pytest.approx(l0, rel=0.25)
    assert abs(shrinkage(gated, data) - 1) < abs(shrinkage(l1, data) - 1)
