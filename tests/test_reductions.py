"""Every variant reduces to a simpler one: same seed, same weights."""

import numpy as np
import pytest
from helpers import make_data, quick
from skorch.callbacks import Freezer

from sklearn_aensae import (
    L1SAE,
    AdaptiveElasticNetSAE,
    AdaptiveLassoSAE,
    ArchetypalSAE,
    BatchTopKSAE,
    Crosscoder,
    DecoderNormL1SAE,
    ElasticNetSAE,
    FeatureChoiceSAE,
    GatedSAE,
    JumpReLUSAE,
    MatryoshkaL1SAE,
    MatryoshkaSAE,
    MutualChoiceSAE,
    PAnnealingSAE,
    PolySAE,
    TopKSAE,
    Transcoder,
    TreeSAE,
)

X = make_data()
CENTRED = X - X.mean(0)
AT_REST = {"callbacks": [Freezer("decoder.bias")]}
NEAR_ZERO = {"initial_threshold": 1e-30, "bandwidth": 1e-30, "dead_features": None}
ADAPT_AT_ONCE = {"adaptation_start": 0, "gamma": 2.0}

REDUCTIONS = [
    (ElasticNetSAE, {"lambda_2": 0.0}, L1SAE, {}),
    (AdaptiveLassoSAE, {"gamma": 0.0, "adaptation_start": 0}, L1SAE, {}),
    (AdaptiveLassoSAE, {"adaptation_start": 10_000}, L1SAE, {}),
    (AdaptiveElasticNetSAE, {"lambda_2": 0.0} | ADAPT_AT_ONCE, AdaptiveLassoSAE, ADAPT_AT_ONCE),
    (
        AdaptiveElasticNetSAE,
        {"gamma": 0.0, "adaptation_start": 0, "lambda_2": 0.01},
        ElasticNetSAE,
        {"lambda_2": 0.01},
    ),
    (TopKSAE, {"k": 100, "dead_features": None}, L1SAE, {"lambda_1": 0.0}),
    (TopKSAE, {"multi_k": 12, "multi_coefficient": 0.0}, TopKSAE, {}),
    (BatchTopKSAE, {"k": 24}, TopKSAE, {"k": 24}),
    (MutualChoiceSAE, {"dead_features": None}, BatchTopKSAE, {"dead_features": None}),
    (FeatureChoiceSAE, {"k": 100, "dead_features": None}, L1SAE, {"lambda_1": 0.0}),
    (JumpReLUSAE, NEAR_ZERO | {"lambda_0": 0.0}, L1SAE, {"lambda_1": 0.0}),
    # With biases and scales at rest at 0, magnitudes are the positive pre-codes.
    (
        GatedSAE,
        {
            "lambda_1": 0.0,
            "gate_coefficient": 0.0,
            "callbacks": [Freezer(["activation.*", "encoder.bias"])],
        },
        L1SAE,
        {"lambda_1": 0.0, "callbacks": [Freezer("encoder.bias")]},
    ),
    # With a decoder at rest, norms stay 1 and there is nothing to subtract.
    (
        DecoderNormL1SAE,
        {"lambda_1": 0.1, "init": "paper", "callbacks": [Freezer("decoder.*")]},
        L1SAE,
        {"lambda_1": 0.1, "init": "paper", "callbacks": [Freezer("decoder.*")]},
    ),
    (Crosscoder, {"view_sizes": None, "lambda_1": 0.1}, DecoderNormL1SAE, {"lambda_1": 0.1}),
    (Crosscoder, {"view_sizes": [8], "lambda_1": 0.1}, DecoderNormL1SAE, {"lambda_1": 0.1}),
    (PAnnealingSAE, {"lambda_1": 0.1, "p_end": 1.0}, L1SAE, {"lambda_1": 0.1}),
    (PAnnealingSAE, {"anneal_start": 100, "anneal_end": 200}, L1SAE, {}),
    (MatryoshkaSAE, {"widths": [24]}, BatchTopKSAE, {}),
    (MatryoshkaSAE, {"beta": 0.0}, BatchTopKSAE, {}),
    (MatryoshkaL1SAE, {"beta": 0.0}, L1SAE, {}),
    # At first both decoders are the same; they are trained differently, so both are at rest.
    (
        PolySAE,
        {"order": 1, "callbacks": [Freezer("decoder.*")]},
        TopKSAE,
        {"callbacks": [Freezer("decoder.*")]},
    ),
    # While all interactions are 0, nothing moves their factors.
    (
        PolySAE,
        {"order": 3, "callbacks": [Freezer("decoder.maps.[12]")]},
        PolySAE,
        {"order": 1},
    ),
    (
        ArchetypalSAE,
        {"delta": 1.0, "callbacks": [Freezer("decoder.relaxation")]},
        ArchetypalSAE,
        {"delta": 0.0},
    ),
    (TreeSAE, {"layer_sizes": (1.0,), "layer_k": (1.0,)}, TopKSAE, {}),
]


@pytest.mark.parametrize(("cls", "params", "simpler", "simpler_params"), REDUCTIONS)
def test_reduction(cls, params, simpler, simpler_params):
    # A loss times a constant trains alike only up to Adam's epsilon: hence SGD's absence and
    # a tolerance in the last case; the others agree to rounding.
    first = quick(cls, dtype="float64", **params).fit(X)
    second = quick(simpler, dtype="float64", **simpler_params).fit(X)
    np.testing.assert_allclose(first.components_, second.components_, atol=1e-6)
    np.testing.assert_allclose(first.transform(X), second.transform(X), atol=1e-5)


@pytest.mark.parametrize(
    ("cls", "params"),
    [
        (ElasticNetSAE, {"lambda_2": 0.1}),
        (AdaptiveLassoSAE, ADAPT_AT_ONCE),
        (AdaptiveElasticNetSAE, ADAPT_AT_ONCE | {"lambda_2": 0.1}),
        (DecoderNormL1SAE, {}),
        (PAnnealingSAE, {"smoothing": 0.01}),
        (TopKSAE, {"k": 3}),
        (FeatureChoiceSAE, {"k": 3}),
        (PolySAE, {"k": 24, "order": 1, "dead_features": None}),
    ],
)
def test_without_the_reduction_they_differ(cls, params):
    first = quick(cls, max_epochs=10, **params)
    if "lambda_1" in cls.__dataclass_fields__:
        first.set_params(lambda_1=0.1)
    second = quick(L1SAE, max_epochs=10, lambda_1=0.1).fit(X)
    first.fit(X)
    assert np.abs(first.components_ - second.components_).max() > 1e-3


@pytest.mark.parametrize("params", [{}, {"k": 2, "dead_window": 20}])
def test_a_transcoder_of_x_to_x_is_the_autoencoder_whose_offset_is_zero(params):
    """Of centred data, with biases at rest at 0, there is nothing an encoder could subtract."""
    params = {"dtype": "float64", "max_epochs": 6, **AT_REST, **params}
    first = quick(Transcoder, **params).fit(CENTRED, CENTRED)
    second = quick(TopKSAE, **params).fit(CENTRED)
    np.testing.assert_allclose(first.components_, second.components_, atol=1e-7)
    np.testing.assert_allclose(first.transform(X), second.transform(X), atol=1e-6)
    assert (max(second.history_["auxk"]) > 0) == ("dead_window" in params)
    # A bias that learns is subtracted by one of them only.
    moving = quick(Transcoder, max_epochs=6).fit(X, X), quick(TopKSAE, max_epochs=6).fit(X)
    assert np.abs(moving[0].components_ - moving[1].components_).max() > 1e-3


def test_interactions_make_a_difference():
    params = {"callbacks": [Freezer("decoder.bias")], "max_epochs": 10}
    first, second = (quick(PolySAE, order=order, **params).fit(X) for order in (1, 2))
    assert np.abs(first.transform(X) - second.transform(X)).max() > 1e-3


def test_a_crosscoder_of_two_views_is_another_thing_than_of_one():
    one, two = (
        quick(Crosscoder, view_sizes=views, lambda_1=0.1, max_epochs=10).fit(X)
        for views in (None, (0.25, 0.75))
    )
    assert np.abs(one.components_ - two.components_).max() > 1e-3


def test_relaxation_makes_a_difference():
    first, second = (quick(ArchetypalSAE, delta=delta).fit(X) for delta in (0.0, 1.0))
    assert np.abs(first.components_ - second.components_).max() > 1e-3
