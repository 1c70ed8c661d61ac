"""scikit-learn's machinery around the estimators, on real data."""

import numpy as np
import pandas as pd
import pytest
from helpers import SAES, given, quick
from sklearn.datasets import load_digits, load_sample_images
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv
from sklearn.feature_extraction.image import extract_patches_2d
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_aensae import L1SAE, AdaptiveElasticNetSAE, TopKSAE
from sklearn_aensae.metrics import SCORERS, best_explained_variance_at_l0

assert enable_halving_search_cv  # its import is what makes HalvingGridSearchCV importable
DIGITS, TARGETS = load_digits(return_X_y=True)


@pytest.fixture(scope="module")
def patches():
    """12 x 12 grey patches of scikit-learn's two photographs, half from each."""
    images = [image.mean(axis=2) / 255 for image in load_sample_images().images]
    parts = [extract_patches_2d(i, (12, 12), max_patches=1500, random_state=0) for i in images]
    return np.concatenate(parts).reshape(-1, 144)


def make_aen(**params):
    return AdaptiveElasticNetSAE(96, random_state=0, **({"max_epochs": 5} | params))


def test_grid_search_over_both_penalties_in_one_and_two_processes():
    grid = {"lambda_1": [0.003, 0.3], "lambda_2": [1e-4, 1e-2]}
    searches = [
        GridSearchCV(make_aen(max_epochs=40), grid, cv=2, n_jobs=n_jobs).fit(DIGITS[:600])
        for n_jobs in (1, 2)
    ]
    scores = [search.cv_results_["mean_test_score"] for search in searches]
    # Threads per process differ, and with them the order of sums.
    np.testing.assert_allclose(*scores, atol=1e-3)
    assert searches[0].best_params_ == {"lambda_1": 0.003, "lambda_2": 1e-4}
    assert searches[1].best_params_ == searches[0].best_params_
    assert scores[0].max() > scores[0].min() + 0.1
    best = searches[0].best_estimator_
    assert best.score(DIGITS[600:]) == pytest.approx(searches[0].score(DIGITS[600:]))


def test_halving_search_with_epochs_as_the_resource():
    search = HalvingGridSearchCV(
        make_aen(), {"lambda_1": [0.003, 0.03, 0.3]}, cv=2, resource="max_epochs",
        max_resources=9, min_resources=1, factor=3, random_state=0,
    ).fit(DIGITS[:400])  # fmt: skip
    assert search.n_resources_ == [1, 3]
    assert search.best_params_["lambda_1"] < 0.3


def test_multi_metric_search_picks_the_best_within_a_budget_of_l0():
    search = GridSearchCV(
        TopKSAE(96, random_state=0, max_epochs=5), {"k": [4, 16, 64]}, cv=2,
        scoring=SCORERS, refit=best_explained_variance_at_l0(32),
    ).fit(DIGITS[:600])  # fmt: skip
    assert search.best_params_ == {"k": 16}
    by_k = dict(zip([4, 16, 64], search.cv_results_["mean_test_explained_variance"], strict=True))
    assert by_k[64] > by_k[16] > by_k[4]


@pytest.mark.filterwarnings("ignore:the rarest of")
@pytest.mark.parametrize("cls", SAES)
def test_cross_val_score(cls, patches):
    # Quotas per component are those of the training rows: folds mix the two photographs.
    folds = KFold(2, shuffle=True, random_state=0)
    sae = quick(cls, n_components=2.0, max_epochs=10, learning_rate=4e-3)
    scores = cross_val_score(sae, *given(cls, patches[::4]), cv=folds)
    assert scores.shape == (2,)
    assert (scores > 0.5).all()


def test_patches_are_learned(patches):
    train, test = train_test_split(patches, random_state=0)
    sae = AdaptiveElasticNetSAE(2.0, lambda_1=3e-3, max_epochs=30, random_state=0).fit(train)
    pca = PCA(16).fit(train)
    kept = pca.inverse_transform(pca.transform(test))
    l0 = (sae.transform(test) > 0).sum(1).mean()
    pca_score = 1 - ((test - kept) ** 2).sum() / ((test - test.mean(0)) ** 2).sum()
    assert sae.score(test) > pca_score - 0.05
    assert l0 < 48
    assert sae.n_dead_ == 0


def test_pipeline_with_memory(tmp_path):
    scaled = Pipeline([("scale", StandardScaler()), ("sae", make_aen())], memory=str(tmp_path))
    first = scaled.fit(DIGITS).transform(DIGITS)
    np.testing.assert_array_equal(scaled.fit(DIGITS).transform(DIGITS), first)
    assert any(tmp_path.rglob("output.pkl"))


def test_inverse_transform_through_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), make_aen(max_steps=300))
    back = pipeline.inverse_transform(pipeline.fit_transform(DIGITS))
    error = ((DIGITS - back) ** 2).sum() / ((DIGITS - DIGITS.mean(0)) ** 2).sum()
    assert error < 0.5


def test_feature_union():
    union = FeatureUnion([("pca", PCA(5)), ("sae", make_aen())])
    assert union.fit_transform(DIGITS).shape == (len(DIGITS), 101)
    names = union.get_feature_names_out()
    assert names[5] == "sae__adaptiveelasticnetsae0"


def test_codes_feed_a_classifier():
    train, test, y_train, y_test = train_test_split(DIGITS, TARGETS, random_state=0)
    sae = AdaptiveElasticNetSAE(256, max_epochs=20, random_state=0, sparse_output=True)
    model = make_pipeline(sae, LogisticRegression(max_iter=2000))
    assert model.fit(train, y_train).score(test, y_test) > 0.93


def test_parameters_of_a_step_can_be_searched_with_a_target():
    model = Pipeline(
        [("sae", L1SAE(96, random_state=0)), ("clf", LogisticRegression(max_iter=2000))]
    )
    search = GridSearchCV(model, {"sae__lambda_1": [0.01, 10.0]}, cv=2, n_jobs=1)
    assert search.fit(DIGITS[:500], TARGETS[:500]).best_params_ == {"sae__lambda_1": 0.01}


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output(library):
    sae = make_aen().set_output(transform=library)
    frame = sae.fit_transform(pd.DataFrame(DIGITS).add_prefix("pixel"))
    assert frame.shape == (len(DIGITS), 96)
    assert frame.columns[0] == "adaptiveelasticnetsae0"
    assert sae.feature_names_in_[0] == "pixel0"


def test_set_output_with_sparse_codes_says_what_to_change():
    sae = make_aen(sparse_output=True).set_output(transform="pandas")
    with pytest.raises(ValueError, match="sparse matrix"):
        sae.fit_transform(DIGITS)
