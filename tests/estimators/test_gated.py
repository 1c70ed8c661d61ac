"""GatedSAE: fitted attributes, the JumpReLU it equals, and what it was invented for."""

import numpy as np
import pytest
from helpers import codes_if_active, make_data, quick
from skorch.callbacks import Callback

from sklearn_aensae import GatedSAE

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
