"""What gates and thresholds were invented for: codes that a penalty does not pull towards 0."""

import pytest
from helpers import quick

from sklearn_aensae import L1SAE, GatedSAE, JumpReLUSAE
from sklearn_aensae.datasets import make_sparse_codes


def shrinkage(sae, X):
    """Best factor on the centred reconstruction: above 1 where codes are too small."""
    fitted = sae.reconstruct(X) - sae.decoder_bias_
    return float(((X - sae.decoder_bias_) * fitted).sum() / (fitted**2).sum())


@pytest.mark.parametrize(
    ("cls", "strength"), [(GatedSAE, {"lambda_1": 0.05}), (JumpReLUSAE, {"lambda_0": 0.01})]
)
def test_codes_shrink_less_than_those_of_l1_at_the_same_l0(cls, strength):
    data, _, _ = make_sparse_codes(1000, 16, 24, n_active=3, random_state=0)
    params = {"n_components": 24, "learning_rate": 1e-2, "max_epochs": 15, "batch_size": 100}
    sae = quick(cls, **strength, **params).fit(data)
    l0 = sae.history_["l0"][-1]
    fits = [quick(L1SAE, lambda_1=s, **params).fit(data) for s in (0.03, 0.04)]
    l1 = min(fits, key=lambda fit: abs(fit.history_["l0"][-1] - l0))
    for one in (sae, l1):
        print(type(one).__name__, one.history_["l0"][-1], shrinkage(one, data), one.score(data))
    assert l1.history_["l0"][-1] == pytest.approx(l0, rel=0.25)
    assert abs(shrinkage(sae, data) - 1) < abs(shrinkage(l1, data) - 1)
