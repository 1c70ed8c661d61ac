"""Exact codes of fitted estimators, and the gap of their encoders."""

import itertools

import numpy as np
import pytest
import torch
from helpers import exact_codes, make_data, quick
from scipy.optimize import nnls
from sklearn.decomposition import sparse_encode
from sklearn.exceptions import ConvergenceWarning

from sklearn_aensae import (
    L1SAE,
    AdaptiveElasticNetSAE,
    AdaptiveLassoSAE,
    Crosscoder,
    DecoderNormL1SAE,
    ElasticNetSAE,
    TopKSAE,
    all_saes,
    load,
)
from sklearn_aensae.coding import active_set, products
from sklearn_aensae.estimators import _coding, _exact
from sklearn_aensae.exceptions import TrainingInterruptedWarning
from sklearn_aensae.metrics import amortization_gap, kkt_residuals

X = make_data(n_samples=200)
EXACT = [cls for _, cls in all_saes() if hasattr(cls, "transform_method")]
PARAMS = {"dtype": "float64", "lambda_1": 0.05, "max_epochs": 20}


def objective(sae, codes, rows=X):
    """Objective of coding, from fitted attributes alone, in the units of training."""
    s, D, weights = sae.input_scale_, sae.components_, strengths(sae)
    error = ((columns(sae) * (rows - sae.decoder_bias_ - codes @ D)) ** 2).mean(1)
    return error + s * codes @ weights + getattr(sae, "lambda_2", 0.0) * ((s * codes) ** 2).sum(1)


def columns(sae):
    """Factors of the features, one for all but in a crosscoder."""
    if isinstance(sae, Crosscoder):
        return np.repeat(sae.view_scales_, sae.view_sizes_)
    return np.full(sae.n_features_in_, sae.input_scale_)


def strengths(sae):
    """Strength of the L1 penalty on each component."""
    if isinstance(sae, Crosscoder):
        return sae.lambda_1 * sae.view_norms_.sum(1)
    return sae.lambda_1 * getattr(sae, "adaptive_weights_", np.ones(sae.n_components_))


def test_which_have_exact_codes():
    convex = {L1SAE, ElasticNetSAE, AdaptiveLassoSAE, AdaptiveElasticNetSAE}
    assert set(EXACT) == convex | {DecoderNormL1SAE, Crosscoder}


@pytest.mark.parametrize("cls", EXACT)
def test_no_other_code_is_better(cls):
    sae = quick(cls, **PARAMS).fit(X)
    exact, encoder = sae.encode(X, "exact"), sae.transform(X)
    assert (exact >= 0).all()
    least = objective(sae, exact)
    assert (objective(sae, encoder) > least).all()
    rng = np.random.default_rng(0)
    for scale in (1e-4, 1e-2):
        other = np.maximum(exact + scale * rng.normal(size=exact.shape), 0)
        assert (objective(sae, other) >= least * (1 - 1e-10)).all()


@pytest.mark.parametrize("cls", EXACT)
def test_beginning_with_few_of_the_encoders_codes_changes_nothing(cls, monkeypatch):
    sae = quick(cls, **PARAMS).fit(X)
    assert (sae.transform(X) > 0).sum(1).max() > 4
    whole, begun = sae.encode(X, "exact"), []

    def spy(problem, columns, values, **kwargs):
        begun.append(values.shape[1])
        return active_set.solve(problem, columns, values, **kwargs)

    monkeypatch.setattr(_exact, "solve", spy)
    monkeypatch.setattr(_exact, "MOST_AT_FIRST", 2)
    few = sae.encode(X, "exact")
    assert set(begun) == {2}
    np.testing.assert_allclose(objective(sae, few), objective(sae, whole), rtol=1e-9)


@pytest.mark.parametrize("cls", EXACT)
def test_gap_of_the_encoder(cls):
    sae = quick(cls, **PARAMS).fit(X)
    best = objective(sae, sae.encode(X, "exact"))
    expected = objective(sae, sae.transform(X)) / best - 1
    gap = amortization_gap(sae, X)
    np.testing.assert_allclose(gap.gaps, expected, rtol=1e-6, atol=1e-9)
    assert gap.mean == pytest.approx(expected.mean())
    assert gap.median == pytest.approx(np.median(expected))
    print(f"{cls.__name__}: mean gap of the encoder {gap.mean:.3f}")
    assert gap.mean > 0.01


def test_l1_codes_are_those_of_sparse_encode():
    sae = quick(L1SAE, **PARAMS, input_scaling=None).fit(X)
    alpha = 0.5 * X.shape[1] * sae.lambda_1
    expected = sparse_encode(
        X - sae.decoder_bias_, sae.components_, algorithm="lasso_cd", alpha=alpha, positive=True,
        max_iter=100_000,
    )  # fmt: skip
    reached = objective(sae, sae.encode(X, "exact"))
    np.testing.assert_allclose(reached, objective(sae, expected), rtol=1e-3)
    assert (reached <= objective(sae, expected) * (1 + 1e-10)).all()


@pytest.mark.parametrize("cls", EXACT)
def test_all_that_encodes_follows_transform_method(cls, tmp_path):
    sae = quick(cls, **PARAMS).fit(X)
    exact = sae.encode(X, "exact")
    assert sae.transform_method == "encoder"
    np.testing.assert_array_equal(sae.encode(X), sae.transform(X))
    sae.set_params(transform_method="exact")
    codes = sae.transform(X)
    np.testing.assert_array_equal(codes, exact)
    np.testing.assert_array_equal(sae.encode(X, "encoder") > 0, quick_codes(sae) > 0)
    np.testing.assert_allclose(sae.reconstruct(X), sae.inverse_transform(codes), atol=1e-10)
    unexplained = ((X - sae.reconstruct(X)) ** 2).sum() / ((X - X.mean(0)) ** 2).sum()
    assert sae.score(X) == pytest.approx(1 - unexplained)
    np.testing.assert_allclose(sae.transform(X, features=[3, 1]), codes[:, [3, 1]])
    np.testing.assert_allclose(sae.transform(torch.tensor(X)).numpy(), codes)
    one_by_one = np.vstack([sae.transform(row[None]) for row in X[:20]])
    np.testing.assert_allclose(one_by_one, codes[:20], atol=1e-6)
    sae.save(tmp_path / "sae")
    np.testing.assert_array_equal(load(tmp_path / "sae").transform(X), codes)
    sae.set_params(sparse_output=True)
    np.testing.assert_array_equal(sae.transform(X).toarray(), codes)


@pytest.mark.parametrize("sizes", [(0.5, 0.5), (0.25, 0.75)])
def test_codes_of_views_solve_the_problem_of_training(sizes):
    views = X * np.repeat([1.0, 20.0], X.shape[1] // 2)
    sae = quick(Crosscoder, **PARAMS, view_sizes=sizes).fit(views)
    columns = np.repeat(sae.view_scales_, sae.view_sizes_)
    # Rows and atoms as the loss had them; a penalty on the sum of the norms of an atom's parts.
    target, D = (views - sae.decoder_bias_) * columns, sae.components_ * columns
    parts = np.split(D, sae.view_sizes_.cumsum()[:-1], axis=1)
    norms = sum(np.linalg.norm(part, axis=1) for part in parts)
    alpha = 0.5 * X.shape[1] * sae.lambda_1
    scaled = sparse_encode(
        target, D / norms[:, None], algorithm="lasso_cd", alpha=alpha, positive=True,
        max_iter=100_000,
    )  # fmt: skip
    codes = sae.encode(views, "exact")

    def value(h):
        return ((target - h @ D) ** 2).mean(1) + sae.lambda_1 * h @ norms

    np.testing.assert_allclose(value(codes), value(scaled / norms), rtol=1e-3)
    assert (value(codes) <= value(scaled / norms) * (1 + 1e-10)).all()
    assert kkt_residuals(sae, views, method="exact").max() < 1e-8
    gaps = value(sae.transform(views)) / value(codes) - 1
    np.testing.assert_allclose(amortization_gap(sae, views).gaps, gaps, rtol=1e-6, atol=1e-9)


def quick_codes(sae):
    """Codes of the encoder from fitted attributes."""
    return np.maximum((X - sae.encoder_offset_) @ sae.encoder_weights_.T + sae.encoder_bias_, 0)


def test_blocks_of_rows_are_solved_alike(monkeypatch):
    sae = quick(ElasticNetSAE, **PARAMS).fit(X)
    whole = sae.encode(X, "exact")
    monkeypatch.setattr(active_set, "WORK", 3 * 24**2)
    np.testing.assert_allclose(sae.encode(X, "exact"), whole, atol=1e-9)


@pytest.mark.parametrize(
    ("cls", "penalties"),
    [
        (AdaptiveElasticNetSAE, {}),
        (L1SAE, {"lambda_1": 1e-3}),
        (ElasticNetSAE, {"lambda_1": 0.0, "lambda_2": 1e-4}),
    ],
)
def test_single_precision_is_exact_to_its_tolerance(cls, penalties, recwarn):
    sae = quick(cls, **(PARAMS | {"dtype": "float32"} | penalties)).fit(X)
    s = sae.input_scale_
    rows, atoms = s * (X - sae.decoder_bias_), sae.components_.astype(np.float64)
    ridge = getattr(sae, "lambda_2", 0.0)
    best = exact_codes(atoms, rows, 1.0, ridge, strengths(sae)) / s
    least = objective(sae, best)
    found = objective(sae, sae.encode(X, "exact").astype(np.float64))
    # Attributes are single precision, too, and the bias is rounded once more.
    assert (found <= least * (1 + 1.2e-5) + 1e-12).all()
    assert (objective(sae, sae.transform(X).astype(np.float64)) > least * (1 + 1e-3)).any()
    assert not [w for w in recwarn if issubclass(w.category, ConvergenceWarning)]


def test_rows_that_rounding_keeps_open_are_told(monkeypatch):
    sae = quick(L1SAE, lambda_1=0.05).fit(X)
    monkeypatch.setitem(_exact.TOLERANCES, torch.float32, 1e-15)
    with pytest.warns(ConvergenceWarning, match=r"of 200 rows .* above 1e-15.*dtype='float64'"):
        sae.encode(X, "exact")


def test_bad_methods():
    sae = quick(L1SAE).fit(X)
    with pytest.raises(ValueError, match="method must be 'encoder', 'exact' or None; got 'omp'"):
        sae.encode(X, "omp")
    with pytest.raises(ValueError, match=r"or None; got \['exact'\]"):
        sae.encode(X, ["exact"])
    with pytest.raises(ValueError, match="transform_method must be one of"):
        quick(L1SAE, transform_method="omp").fit(X)
    with pytest.raises(TypeError, match="TopKSAE has no exact codes"):
        amortization_gap(quick(TopKSAE).fit(X), X)


@pytest.mark.parametrize("cls", EXACT)
def test_violations_of_the_conditions_against_numpy(cls):
    sae = quick(cls, **PARAMS).fit(X)
    for method in ("encoder", "exact"):
        codes, s = sae.encode(X, method), sae.input_scale_
        scales = columns(sae)
        left = scales * (X - sae.decoder_bias_ - codes @ sae.components_)
        ridge = 2 * getattr(sae, "lambda_2", 0.0) * s * codes
        # Codes of the module are s times these: by as much the slopes are smaller.
        along = left @ (scales * sae.components_).T / s
        slopes = 2 / X.shape[1] * along - ridge - strengths(sae)
        expected = np.where(codes > 0, np.abs(slopes), np.maximum(slopes, 0)).max(1)
        np.testing.assert_allclose(kkt_residuals(sae, X, method), expected, rtol=1e-6, atol=1e-12)
    assert expected.max() < 1e-6 < kkt_residuals(sae, X).max()


def test_kkt_needs_exact_codes():
    with pytest.raises(TypeError, match="TopKSAE has no exact codes"):
        kkt_residuals(quick(TopKSAE).fit(X), X)


@pytest.mark.parametrize("scaling", ["mean_norm", "sample_norm", "whiten", None])
@pytest.mark.parametrize("method", ["encoder", "exact"])
def test_debiased_codes_are_least_squares_on_their_support(scaling, method):
    sae = quick(ElasticNetSAE, **PARAMS, input_scaling=scaling, transform_method=method).fit(X)
    plain = sae.transform(X)
    codes = sae.set_params(debias=True).transform(X)
    assert not ((codes > 0) & (plain == 0)).any()
    share = np.ones(len(X))
    if scaling == "sample_norm":  # a row's own scale is that of its bias
        share = np.linalg.norm(X, axis=1) / np.sqrt(X.shape[1]) * sae.input_scale_
    metric = np.eye(X.shape[1]) if sae.whitening_ is None else sae.whitening_
    atoms = sae.components_ @ metric
    for row, mine, support, unit in zip(X, codes, plain > 0, share, strict=True):
        target = (row - unit * sae.decoder_bias_) @ metric
        best, error = nnls(atoms[support].T, target)
        assert np.linalg.norm(target - mine @ atoms) <= error + 1e-8 * np.linalg.norm(row)
        if support.sum() <= X.shape[1]:
            np.testing.assert_allclose(mine[support], best, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("cls", "scaling"),
    # The scales of views are several, and change the norms of atoms.
    [*((cls, None) for cls in EXACT), *((cls, "mean_norm") for cls in EXACT if cls != Crosscoder)],
)
def test_no_thresholded_code_is_less_than_the_penalty_takes_off(cls, scaling):
    """In the units of training: codes times the scale, on atoms that users see as unit vectors."""
    sae = quick(cls, **PARAMS, input_scaling=scaling, transform_method="exact").fit(X)
    penalised = sae.transform(X) > 0
    debiased = sae.set_params(debias=True).transform(X)
    codes = sae.set_params(debias="thresholded").transform(X)
    least = 0.5 * X.shape[1] * sae._strengths() / sae.input_scale_
    assert sae.components_.shape == (24, X.shape[1])
    squares = (sae.components_**2).sum(1)
    assert ((debiased > 0) & (debiased < 0.999 * least / squares)).any()
    assert not ((codes > 0) & (codes < 0.999 * least / squares)).any()
    assert not ((codes > 0) & ~penalised).any()
    np.testing.assert_allclose(sae.transform(X[7:9]), codes[7:9], rtol=1e-9)


@pytest.mark.parametrize("cls", EXACT)
def test_debiasing_explains_more(cls):
    sae = quick(cls, **PARAMS).fit(X)
    before = sae.score(X)
    assert sae.set_params(debias=True).score(X) > before
    assert sae.set_params(transform_method="exact").score(X) > before


def test_each_round_of_refinement_is_nearer_to_the_exact_code():
    sae = quick(ElasticNetSAE, **PARAMS).fit(X)
    exact = objective(sae, sae.encode(X, "exact"))
    gaps = []
    for n_rounds in range(6):
        codes = sae.set_params(refine_steps=n_rounds).transform(X)
        gaps.append((objective(sae, codes) / exact - 1).mean())
    assert all(later <= earlier + 1e-12 for earlier, later in itertools.pairwise(gaps))
    assert gaps[1] < 0.5 * gaps[0]
    assert gaps[-1] < 0.1 * gaps[0]
    assert amortization_gap(sae, X).mean == pytest.approx(gaps[0])


def test_the_first_round_keeps_to_the_encoders_choice():
    sae = quick(ElasticNetSAE, **PARAMS).fit(X)
    encoder = sae.transform(X)
    refined = sae.set_params(refine_steps=1).transform(X)
    assert not ((refined > 0) & (encoder == 0)).any()


def test_refinement_of_exact_codes_is_refused():
    sae = quick(ElasticNetSAE, **PARAMS, refine_steps=2).fit(X)
    exact = sae.encode(X, "exact")
    np.testing.assert_array_equal(exact, sae.set_params(refine_steps=0).encode(X, "exact"))
    sae.set_params(refine_steps=2, transform_method="exact")
    for method in (sae.transform, sae.fit, sae.partial_fit):
        with pytest.raises(ValueError, match="refine_steps=2 goes with transform_method='encoder'"):
            method(X)


@pytest.mark.parametrize("debias", [True, "thresholded"])
@pytest.mark.parametrize("method", ["encoder", "exact"])
def test_the_decoder_is_refitted_at_the_end_of_fit(method, debias):
    params = PARAMS | {"transform_method": method, "debias": debias}
    refitted = quick(ElasticNetSAE, **params, decoder_refits=2).fit(X)
    by_hand = quick(ElasticNetSAE, **params).fit(X)
    plain = by_hand.score(X)
    by_hand.refit_decoder(X).refit_decoder(X)
    np.testing.assert_allclose(refitted.components_, by_hand.components_, atol=1e-9)
    np.testing.assert_allclose(refitted.transform(X), by_hand.transform(X), atol=1e-7)
    assert refitted.score(X) > plain


def test_a_stream_cannot_be_refitted():
    sae = quick(ElasticNetSAE, max_steps=5, decoder_refits=1)
    with pytest.raises(ValueError, match="decoder_refits=1 reads rows again.*X is a stream"):
        sae.fit(iter([X]))


def test_ctrl_c_between_refits_leaves_a_fitted_estimator(monkeypatch):
    sae = quick(ElasticNetSAE, **PARAMS, decoder_refits=3)
    refit, calls = _exact.refit, []

    def refit_once(self, rows):
        calls.append(len(rows))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return refit(self, rows)

    monkeypatch.setattr(_exact, "refit", refit_once)
    with pytest.warns(TrainingInterruptedWarning):
        sae.fit(X)
    monkeypatch.undo()
    once = quick(ElasticNetSAE, **PARAMS, decoder_refits=1).fit(X)
    np.testing.assert_array_equal(sae.components_, once.components_)


@pytest.mark.parametrize(
    ("dtype", "lambda_1"), [("float32", 0.0), ("float32", 1e-9), ("float64", 0.0)]
)
def test_codes_without_a_penalty_are_solved_and_said_to_be(dtype, lambda_1, recwarn):
    sae = quick(L1SAE, lambda_1=lambda_1, dtype=dtype, max_epochs=20).fit(X)
    codes = sae.encode(X[:20], "exact").astype(np.float64)
    assert not [w for w in recwarn if issubclass(w.category, ConvergenceWarning)]
    D = sae.components_.astype(np.float64)
    for row, code in zip(X[:20] - sae.decoder_bias_, codes, strict=True):
        error = nnls(D.T, row)[1]
        limit = {"float32": 1e-3, "float64": 1e-9}[dtype]
        assert np.linalg.norm(row - code @ D) <= error + limit * np.linalg.norm(row)


@pytest.mark.parametrize(
    "params", [{"transform_method": "Exact"}, {"debias": "yes"}, {"refine_steps": -1}]
)
def test_what_is_set_after_fit_is_checked(params):
    sae = quick(L1SAE).fit(X).set_params(**params)
    for method in (sae.transform, sae.score, sae.reconstruct):
        with pytest.raises(ValueError, match=next(iter(params))):
            method(X)


@pytest.mark.parametrize("cls", [ElasticNetSAE, AdaptiveElasticNetSAE])
def test_penalties_of_exact_codes_are_those_of_training(cls, tmp_path):
    sae = quick(cls, lambda_1=0.05, lambda_2=1e-3, max_epochs=20, dtype="float64").fit(X)
    codes, gap = sae.encode(X, "exact"), amortization_gap(sae, X).mean
    sae.set_params(lambda_1=9.0, lambda_2=1.0)
    sae.save(tmp_path / "sae")
    for same in (sae, load(tmp_path / "sae")):
        np.testing.assert_array_equal(same.encode(X, "exact"), codes)
        assert amortization_gap(same, X).mean == gap


def test_refined_codes_are_nearer_to_the_conditions():
    sae = quick(ElasticNetSAE, **PARAMS).fit(X)
    raw, gap = kkt_residuals(sae, X).mean(), amortization_gap(sae, X).mean
    sae.set_params(refine_steps=3, debias=True)
    assert kkt_residuals(sae, X).mean() < 0.5 * raw
    assert amortization_gap(sae, X).mean == pytest.approx(gap)


def test_products_of_atoms_are_made_once_for_all_rows(monkeypatch):
    made = []

    def counted(atoms):
        made.append(len(atoms))
        return products(atoms)

    sae = quick(ElasticNetSAE, **PARAMS, transform_method="exact").fit(X)
    whole = sae.transform(X)
    monkeypatch.setattr(_exact, "products", counted)
    monkeypatch.setattr(_coding, "CHUNK_BYTES", 1)
    monkeypatch.setattr(_coding, "LEAST_ROWS", 16)
    np.testing.assert_allclose(sae.transform(X), whole, atol=1e-8)
    assert made == [sae.n_components_]
    sae.refit_decoder(X).transform(X[:40])
    assert len(made) == 3
