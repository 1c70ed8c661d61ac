"""Whitened training: what is fitted is in the units of the input, exactly."""

import pickle

import numpy as np
import pytest
import torch
from helpers import SAES, codes_if_active, given, make_data, quick
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_aensae import (
    L1SAE,
    AdaptiveElasticNetSAE,
    BatchTopKSAE,
    TopKSAE,
    Transcoder,
    load,
)
from sklearn_aensae.datasets import make_spiked_dictionary
from sklearn_aensae.metrics import dictionary_recovery

X = make_data(n_samples=120) @ np.diag([5, 3, 1, 1, 0.5, 0.2, 1, 1]) + 2
WHITENED = [cls for cls in SAES if cls._may_whiten]
REFUSED = [cls for cls in SAES if not cls._may_whiten]
each = pytest.mark.parametrize("cls", WHITENED)


def whitened(cls, **params):
    return quick(cls, input_scaling="whiten", dtype="float64", **params).fit(*given(cls, X))


@each
def test_codes_are_those_of_whitened_training(cls):
    """The estimator of plain rows is the module of whitened rows, and nothing else."""
    sae = whitened(cls)
    rows = torch.tensor((X - sae.whitening_mean_) @ sae.whitening_)
    module = sae.net_.module_.eval()
    with torch.no_grad():
        inside, made = module.encode(rows).dense().numpy(), module(rows).reconstruction.numpy()
        norms = module.decoder.norms().numpy()
    if module.decoder.folds_norms:
        inside = inside * norms
    np.testing.assert_allclose(sae.transform(X), inside * sae.code_scale_, atol=1e-10)
    made = made @ np.linalg.inv(sae.whitening_) + sae.whitening_mean_
    np.testing.assert_allclose(sae.reconstruct(X), made, atol=1e-10)


@each
def test_codes_and_reconstructions_follow_from_fitted_attributes(cls):
    sae = whitened(cls)
    codes = sae.transform(X)
    active = codes > 0
    assert 0 < active.mean() < 1
    np.testing.assert_allclose(codes[active], codes_if_active(sae, X)[active], rtol=1e-8)
    made = codes @ sae.components_ + sae.decoder_bias_
    np.testing.assert_allclose(sae.reconstruct(X), made, atol=1e-10)
    np.testing.assert_allclose(sae.inverse_transform(codes), made, atol=1e-10)
    np.testing.assert_allclose(np.linalg.norm(sae.components_, axis=1), 1, rtol=1e-12)
    assert sae.input_scale_ == 1
    if hasattr(sae, "threshold_"):
        assert np.shape(sae.threshold_) == (24,)
        above = codes_if_active(sae, X) > np.maximum(sae.threshold_, 0)
        np.testing.assert_array_equal(active, above)


@each
@pytest.mark.parametrize("factor", [2.0**-60, 2.0**60])
def test_the_size_of_the_data_does_not_matter(cls, factor):
    sae, other = (quick(cls, input_scaling="whiten", dtype="float64") for _ in range(2))
    codes = sae.fit(X).transform(X)
    other.fit(factor * X)
    np.testing.assert_allclose(other.components_, sae.components_, atol=1e-7)
    np.testing.assert_allclose(other.transform(factor * X) / factor, codes, atol=1e-6)
    made = other.inverse_transform(factor * codes) / factor
    np.testing.assert_allclose(made, sae.inverse_transform(codes), atol=1e-6)


@pytest.mark.parametrize("factor", [2.0**-60, 2.0**60])
def test_the_size_of_targets_does_not_matter(factor):
    rows, targets = given(Transcoder, X)
    coder, other = (quick(Transcoder, dtype="float64") for _ in range(2))
    coder.fit(rows, targets)
    other.fit(rows, factor * targets)
    np.testing.assert_allclose(np.linalg.norm(other.components_, axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(other.predict(X) / factor, coder.predict(X), atol=1e-6)


def test_topk_chooses_in_the_units_of_training():
    sae = whitened(TopKSAE)
    pre_codes = (X - sae.encoder_offset_) @ sae.encoder_weights_.T + sae.encoder_bias_
    ranks = (-pre_codes / sae.code_scale_).argsort(1).argsort(1)
    codes = np.where(ranks < 4, np.maximum(pre_codes, 0), 0)
    np.testing.assert_allclose(sae.transform(X), codes, atol=1e-10)
    other = np.where((-pre_codes).argsort(1).argsort(1) < 4, np.maximum(pre_codes, 0), 0)
    assert not np.allclose(other, codes)


@each
def test_rows_chunks_and_representations(cls):
    sae = whitened(cls)
    codes = sae.transform(X)
    alone = np.vstack([sae.transform(row[None]) for row in X])
    np.testing.assert_allclose(alone, codes, atol=1e-12)
    np.testing.assert_allclose(sae.transform(X, features=[7, 2]), codes[:, [7, 2]], atol=1e-12)
    sparse = sae.set_params(sparse_output=True).transform(X)
    np.testing.assert_array_equal(sparse.toarray(), codes)
    back = sae.inverse_transform(sparse)
    np.testing.assert_allclose(back, sae.inverse_transform(codes), atol=1e-10)


@each
@pytest.mark.parametrize("kind", ["pickle", "save"])
def test_copies_go_on_alike(cls, kind, tmp_path):
    sae = quick(cls, input_scaling="whiten").fit(*given(cls, X))
    if kind == "pickle":
        again = pickle.loads(pickle.dumps(sae))
    else:
        sae.save(tmp_path / "sae")
        again = load(tmp_path / "sae")
    for estimator in (sae, again):
        estimator.partial_fit(X)
    np.testing.assert_array_equal(again.transform(X), sae.transform(X))
    np.testing.assert_array_equal(again.reconstruct(X), sae.reconstruct(X))
    for name in ("components_", "code_scale_", "whitening_", "whitening_mean_"):
        np.testing.assert_array_equal(getattr(again, name), getattr(sae, name))


def test_no_tensor_outside_the_net_and_read_only_arrays():
    """Joblib gives workers read-only maps of large arrays."""
    sae = whitened(L1SAE)
    sae.transform(X)
    assert set(sae._scaling.whitening.__getstate__()) == {"mean", "matrix"}
    again = pickle.loads(pickle.dumps(sae))
    for array in (again._scaling.whitening.matrix, again._scaling.whitening.mean):
        array.flags.writeable = False
    again.code_scale_.flags.writeable = False
    np.testing.assert_array_equal(again.transform(X), sae.transform(X))


def test_exact_codes_are_exact_in_the_units_of_training():
    sae = whitened(AdaptiveElasticNetSAE, transform_method="exact")
    h = sae.transform(X[:20]) / sae.code_scale_
    rows = (X[:20] - sae.whitening_mean_) @ sae.whitening_
    decoder = sae.net_.module_.decoder
    atoms, bias = (part.detach().numpy() for part in (decoder.atoms, decoder.bias))
    gradient = (h @ atoms + bias - rows) @ atoms.T * 2 / 8
    gradient += sae.lambda_1 * sae.adaptive_weights_ + 2 * sae.lambda_2 * h
    assert np.abs(gradient[h > 0]).max() < 1e-6
    assert gradient.min() > -1e-6
    assert (h > 0).any()


def test_another_scaling_leaves_nothing_behind():
    sae = whitened(BatchTopKSAE)
    sae.set_params(input_scaling="mean_norm").fit(X)
    assert sae.whitening_ is sae.whitening_mean_ is sae.code_scale_ is None
    assert np.ndim(sae.threshold_) == 0


@each
def test_training_knows_neither_the_unit_nor_the_origin_of_the_data(cls):
    first, second = (
        quick(cls, input_scaling="whiten", dtype="float64").fit(data) for data in (X, 7 * X - 100)
    )
    np.testing.assert_allclose(first.components_, second.components_, atol=1e-7)
    np.testing.assert_allclose(7 * first.transform(X), second.transform(7 * X - 100), atol=1e-5)


@pytest.mark.parametrize("cls", REFUSED)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_refused_where_it_cannot_be_folded(cls, method):
    sae = quick(cls, input_scaling="whiten")
    with pytest.raises(ValueError, match=f"{cls.__name__}: input_scaling='whiten' needs a linear"):
        getattr(sae, method)(*given(cls, X))
    assert not hasattr(sae, "net_")


@parametrize_with_checks([cls(max_epochs=2, input_scaling="whiten") for cls in (L1SAE, TopKSAE)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("cls", [L1SAE, AdaptiveElasticNetSAE])
def test_whitening_finds_the_dictionary_behind_a_spike(cls):
    """With the same steps, and the best of several penalties for the usual scaling."""
    rows, _, truth = make_spiked_dictionary(
        3000, 24, 32, n_active=2, rho=0.9, dtype=np.float32, random_state=0
    )

    def recovery(scaling, lambda_1):
        params = {"max_steps": 250, "batch_size": 128, "learning_rate": 8e-3, "random_state": 0}
        sae = cls(32, input_scaling=scaling, lambda_1=lambda_1, **params).fit(rows)
        return dictionary_recovery(sae.components_, truth, centered=True).mean_cosine

    usual = max(recovery("mean_norm", lambda_1) for lambda_1 in (0.006, 0.012, 0.025))
    assert recovery("whiten", 0.06) > usual + 0.05
