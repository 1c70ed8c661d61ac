import subprocess
import sys

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import get_scorer as get_sklearn_scorer
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    cross_val_score,
    cross_validate,
    validation_curve,
)

from sklearn_aensae.metrics import SCORERS, best_explained_variance_at_l0, register_scorers
from sklearn_aensae.metrics.scorers import neg_l0_scorer

X = np.random.default_rng(0).normal(size=(30, 4)) * [9.0, 9.0, 1.0, 1.0]


@pytest.fixture(autouse=True)
def names():
    return register_scorers()


def test_names_are_those_of_the_scorers_with_a_prefix(names):
    assert names == [f"sae_{name}" for name in SCORERS]
    assert register_scorers() == names
    assert get_sklearn_scorer("sae_neg_l0") is neg_l0_scorer


def test_strings_in_searches(names):
    grid = {"n_components": [1, 2]}
    for search in (
        GridSearchCV(PCA(), grid, scoring="sae_neg_l0"),
        RandomizedSearchCV(PCA(), grid, n_iter=2, scoring="sae_neg_l0", random_state=0),
    ):
        search.fit(X)
        assert search.best_params_ == {"n_components": 1}
        assert search.best_score_ == -1.0


def test_lists_of_strings_and_the_refit_rule(names):
    search = GridSearchCV(
        PCA(),
        {"n_components": [1, 2, 3]},
        scoring=names,
        refit=best_explained_variance_at_l0(2),
    ).fit(X)
    assert search.best_params_ == {"n_components": 2}


def test_strings_in_validation_functions():
    pca = PCA(n_components=2)
    assert cross_val_score(pca, X, scoring="sae_neg_l0").tolist() == [-2.0] * 5
    assert cross_validate(pca, X, scoring="sae_neg_l0")["test_score"].tolist() == [-2.0] * 5
    _, scores = validation_curve(
        pca, X, None, param_name="n_components", param_range=[1, 3], scoring="sae_neg_l0"
    )
    assert scores.mean(axis=1).tolist() == [-1.0, -3.0]


def test_strings_in_a_halving_search():
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401, enables the import
    from sklearn.model_selection import HalvingGridSearchCV

    register_scorers()
    search = HalvingGridSearchCV(
        PCA(), {"n_components": [1, 2]}, scoring="sae_neg_l0", random_state=0
    )
    assert search.fit(X).best_params_ == {"n_components": 1}


def test_import_registers_nothing():
    code = (
        "import sklearn_aensae.metrics, sklearn.metrics; "
        "assert not [n for n in sklearn.metrics.get_scorer_names() if n.startswith('sae_')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
