"""A decoder fitted anew to the codes that there are."""

import copy
import functools
import os
import pickle
import signal

import numpy as np
import pytest
from helpers import SAES, codes_if_active, given, make_data, quick
from sklearn.exceptions import NotFittedError

from sklearn_aensae import (
    L1SAE,
    AdaptiveElasticNetSAE,
    ArchetypalSAE,
    DecoderNormL1SAE,
    GatedSAE,
    JumpReLUSAE,
    PolySAE,
    TopKSAE,
    Transcoder,
    load,
)
from sklearn_aensae.estimators import _coding
from sklearn_aensae.exceptions import TrainingInterruptedWarning
from sklearn_aensae.modules.activations import ReLU

X = make_data() + 3
REFUSED = [ArchetypalSAE, PolySAE, Transcoder]
FREE = [cls for cls in SAES if cls not in REFUSED]
EXACT = {"dtype": "float64", "max_epochs": 20}


def scalings(cls):
    return [None, "mean_norm", "sample_norm"] + ["whiten"] * cls._may_whiten


each = pytest.mark.parametrize("cls", FREE)
each_in_all_units = pytest.mark.parametrize(
    ("cls", "scaling"), [(cls, scaling) for cls in FREE for scaling in scalings(cls)]
)


@functools.cache
def trained(cls, scaling):
    return quick(cls, input_scaling=scaling, **EXACT).fit(X)


def square_error(sae, rows=X):
    return ((rows - sae.reconstruct(rows)) ** 2).sum()


def design(sae, codes):
    """Codes, and how much of the bias is in each row, from what is left without codes."""
    share = np.ones(len(X))
    if sae.input_scaling == "sample_norm":
        made = sae.reconstruct(X) - codes @ sae.components_
        share = made @ sae.decoder_bias_ / (sae.decoder_bias_ @ sae.decoder_bias_)
    return np.hstack([codes, share[:, None]])


@each_in_all_units
def test_codes_grow_and_reconstructions_are_those_of_ridge_regression(cls, scaling):
    sae = copy.deepcopy(trained(cls, scaling))
    codes, before = sae.transform(X), square_error(sae)
    rows, left = design(sae, codes), X - sae.reconstruct(X)
    old = np.vstack([sae.components_, sae.decoder_bias_])
    fires = codes.any(0)
    prior = np.where(fires, (codes**2).sum(0) / np.maximum((codes > 0).sum(0), 1), 1)
    penalty = np.diag(np.append(0.5 * prior, 0))
    expected = old + np.linalg.solve(rows.T @ rows + penalty, rows.T @ left)
    assert sae.refit_decoder(X, ridge=0.5) is sae
    norms = np.linalg.norm(expected[:-1], axis=1)
    np.testing.assert_allclose(sae.components_, expected[:-1] / norms[:, None], atol=1e-8)
    np.testing.assert_allclose(sae.decoder_bias_, expected[-1], atol=1e-8)
    np.testing.assert_allclose(sae.transform(X), codes * norms, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(sae.reconstruct(X), rows @ expected, atol=1e-8)
    assert square_error(sae) < before


@each_in_all_units
def test_attributes_still_say_it_all(cls, scaling):
    sae = copy.deepcopy(trained(cls, scaling)).refit_decoder(X)
    codes = sae.transform(X)
    np.testing.assert_allclose(np.linalg.norm(sae.components_, axis=1), 1, rtol=1e-12)
    sparse = sae.set_params(sparse_output=True).transform(X)
    np.testing.assert_allclose(sparse.toarray(), codes, rtol=1e-12)
    if scaling == "sample_norm":
        return
    active = codes > 0
    np.testing.assert_allclose(codes[active], codes_if_active(sae, X)[active], rtol=1e-8)
    made = codes @ sae.components_ + sae.decoder_bias_
    np.testing.assert_allclose(sae.inverse_transform(codes), made, atol=1e-9)
    np.testing.assert_allclose(sae.reconstruct(X), made, atol=1e-9)
    if hasattr(sae, "threshold_"):
        np.testing.assert_array_equal(active, codes_if_active(sae, X) > sae.threshold_)


@each
def test_what_it_did_is_kept(cls, tmp_path):
    sae = quick(cls).fit(X)
    before = sae.score(X)
    sae.refit_decoder(X)
    assert sae.score(X) > before
    sae.save(tmp_path / "sae")
    for again in (load(tmp_path / "sae"), pickle.loads(pickle.dumps(sae))):
        np.testing.assert_array_equal(again.transform(X), sae.transform(X))
        np.testing.assert_array_equal(again.reconstruct(X), sae.reconstruct(X))
        np.testing.assert_array_equal(again.components_, sae.components_)


@each
def test_a_second_time_changes_nothing_without_a_ridge(cls):
    sae = copy.deepcopy(trained(cls, "mean_norm")).refit_decoder(X, ridge=0)
    codes, made = sae.transform(X), sae.reconstruct(X)
    sae.refit_decoder(X, ridge=0)
    np.testing.assert_allclose(sae.transform(X), codes, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(sae.reconstruct(X), made, atol=1e-8)


@pytest.mark.parametrize("scaling", scalings(TopKSAE))
def test_components_that_do_not_fire_keep_their_atoms(scaling):
    sae = quick(TopKSAE, input_scaling=scaling, **EXACT).fit(X)
    silent = ~sae.transform(X[:4]).any(0)
    assert 0 < silent.sum() < 24
    old = sae.components_.copy()
    changed = np.abs(sae.refit_decoder(X[:4]).components_ - old).max(1)
    assert changed[silent].max() < 1e-12
    assert (changed[~silent] > 1e-6).all()


def test_shrinkage_is_undone():
    sae = quick(L1SAE, lambda_1=0.2, **EXACT).fit(X)
    before = sae.score(X)
    norms = sae.transform(X).sum(0)
    sae.refit_decoder(X)
    grown = sae.transform(X).sum(0)[norms > 0] / norms[norms > 0]
    assert np.median(grown) > 1
    assert sae.score(X) > before + 0.01


@pytest.mark.parametrize("cls", [L1SAE, JumpReLUSAE, GatedSAE, DecoderNormL1SAE])
def test_training_goes_on_from_what_was_refitted(cls):
    """Norms are in the encoder where nobody competes: a step does not undo them."""
    sae = quick(cls, **EXACT, warm_start=True).fit(X).refit_decoder(X)
    assert sae.code_scale_ is None
    made = sae.reconstruct(X)
    sae.set_params(max_steps=1, learning_rate=1e-12).fit(X)
    np.testing.assert_allclose(sae.reconstruct(X), made, atol=1e-6)


def test_where_components_compete_the_choice_stays():
    sae = quick(TopKSAE, **EXACT).fit(X)
    active = sae.transform(X) > 0
    sae.refit_decoder(X)
    np.testing.assert_array_equal(sae.transform(X) > 0, active)
    assert np.ptp(sae.code_scale_) > 1e-3
    sae.partial_fit(X)
    assert sae.code_scale_ is None
    np.testing.assert_allclose(np.linalg.norm(sae.components_, axis=1), 1, rtol=1e-12)


def test_exact_codes_are_what_the_decoder_is_fitted_to():
    params = {"lambda_1": 0.1, "transform_method": "exact", **EXACT}
    sae = quick(AdaptiveElasticNetSAE, **params).fit(X)
    codes = sae.transform(X)
    rows = np.hstack([codes, np.ones((len(X), 1))])
    fitted = rows @ np.linalg.lstsq(rows, X, rcond=None)[0]
    by_encoder = sae.encode(X, "encoder")
    sae.refit_decoder(X, ridge=0)
    grown = sae.encode(X, "encoder")[by_encoder > 0] / by_encoder[by_encoder > 0]
    assert (grown > 0).all()
    column = np.nonzero(by_encoder)[1]
    norms = np.array([grown[column == j].mean() if (column == j).any() else 1 for j in range(24)])
    made = codes * norms @ sae.components_ + sae.decoder_bias_
    np.testing.assert_allclose(made, fitted, atol=1e-7)


def test_blocks_add_up(monkeypatch):
    whole = quick(L1SAE, **EXACT).fit(X)
    parts = pickle.loads(pickle.dumps(whole)).set_params(sparse_output=True)
    whole.refit_decoder(X)
    monkeypatch.setattr(_coding, "LEAST_ROWS", 7)
    monkeypatch.setattr(_coding, "CHUNK_BYTES", 1)
    parts.refit_decoder(X)
    np.testing.assert_allclose(parts.components_, whole.components_, atol=1e-10)


def test_bad_input():
    with pytest.raises(NotFittedError):
        quick(L1SAE).refit_decoder(X)
    sae = quick(L1SAE).fit(X)
    before = sae.components_.copy()
    for ridge in (-1, float("nan"), "1", None, float("inf")):
        with pytest.raises(ValueError, match="ridge must be a number >= 0; got"):
            sae.refit_decoder(X, ridge=ridge)
    with pytest.raises(ValueError, match="5 features, but .* is expecting 8 features"):
        sae.refit_decoder(X[:, :5])
    with pytest.raises(ValueError, match="NaN"):
        sae.refit_decoder(np.where(X > 5, np.nan, X))
    np.testing.assert_array_equal(sae.components_, before)


@pytest.mark.parametrize("cls", REFUSED)
def test_refused_where_atoms_are_not_free(cls):
    sae = quick(cls).fit(*given(cls, X))
    with pytest.raises(TypeError, match=f"{cls.__name__} .*refit_decoder"):
        sae.refit_decoder(X)


@pytest.mark.parametrize("within_fit", [True, False])
def test_ctrl_c_leaves_no_refit_half_done(within_fit, monkeypatch):
    whole = quick(L1SAE, decoder_refits=1, **EXACT).fit(X)
    rescale_ = ReLU.rescale_

    def press(self, norms):
        os.kill(os.getpid(), signal.SIGINT)
        return rescale_(self, norms)

    sae = quick(L1SAE, decoder_refits=2 if within_fit else 0, **EXACT)
    if within_fit:
        monkeypatch.setattr(ReLU, "rescale_", press)
        with pytest.warns(TrainingInterruptedWarning, match=r"decoder_refits=2. was left out"):
            sae.fit(X)
    else:
        sae.fit(X)
        monkeypatch.setattr(ReLU, "rescale_", press)
        with pytest.raises(KeyboardInterrupt):
            sae.refit_decoder(X)
    np.testing.assert_allclose(sae.components_, whole.components_, atol=1e-12)
    np.testing.assert_array_equal(sae.net_.module_.decoder.atoms.detach(), sae.components_)
    np.testing.assert_allclose(sae.transform(X), whole.transform(X), atol=1e-12)
