import numpy as np
import pytest
from helpers import make_data, quick

from sklearn_aensae import ElasticNetSAE
from sklearn_aensae.metrics import amortization_gap

X = make_data()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_row_with_nothing_to_code_has_a_gap_over_rounding(dtype):
    sae = quick(ElasticNetSAE, lambda_1=0.02, lambda_2=1e-3, dtype=dtype).fit(X)
    # The encoder gives the row at the bias codes that it should not have.
    sae.net_.module_.encoder.bias.data += 0.05
    rows = np.vstack([X, sae.decoder_bias_])
    plain, found = amortization_gap(sae, X), amortization_gap(sae, rows)
    np.testing.assert_allclose(found.gaps[:-1], plain.gaps, rtol=1e-4)
    assert found.median == pytest.approx(plain.median, rel=0.05)

    codes = sae.input_scale_ * sae.transform(rows[-1:])[0]
    cost = ((codes @ sae.components_) ** 2).mean() + 0.02 * codes.sum() + 1e-3 * (codes**2).sum()
    energy = ((sae.input_scale_ * (rows - sae.decoder_bias_)) ** 2).mean()
    assert cost > 0.01
    assert found.gaps[-1] == pytest.approx(cost / (np.finfo(dtype).eps * energy), rel=1e-3)
