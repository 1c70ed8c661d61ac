import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.model_selection import GridSearchCV

from sklearn_aensae.metrics import SCORERS, best_explained_variance_at_l0, explained_variance


class RotatedAxes(TransformerMixin, BaseEstimator):
    """Keeps the `k` largest entries of each row in a random orthogonal basis."""

    def __init__(self, k=1):
        self.k = k

    def fit(self, X, y=None):
        normal = np.random.default_rng(0).normal(size=(X.shape[1], X.shape[1]))
        self.components_ = np.linalg.qr(normal)[0]
        return self

    def transform(self, X):
        projections = X @ self.components_.T
        ranks = np.argsort(np.argsort(-np.abs(projections), axis=1), axis=1)
        return np.where(ranks < self.k, projections, 0.0)

    def score(self, X, y=None):
        return explained_variance(X, self.transform(X) @ self.components_)


def search(max_l0, ks=(1, 3, 5, 8)):
    X = np.random.default_rng(1).normal(size=(40, 8))
    return GridSearchCV(
        RotatedAxes(),
        {"k": list(ks)},
        scoring=SCORERS,
        refit=best_explained_variance_at_l0(max_l0),
        cv=3,
    ).fit(X)


@pytest.mark.parametrize(("max_l0", "k"), [(1, 1), (4.9, 3), (5, 5), (100, 8)])
def test_picks_the_best_that_is_sparse_enough(max_l0, k):
    fitted = search(max_l0)
    assert fitted.best_params_ == {"k": k}
    assert fitted.best_estimator_.k == k


def test_survives_clone_and_pickle():
    fitted = pickle.loads(pickle.dumps(search(3)))
    assert fitted.best_params_ == {"k": 3}
    results = fitted.cv_results_
    assert clone(fitted).refit(results) == fitted.refit(results) == 1


def test_takes_the_sparsest_where_none_is_sparse_enough():
    with pytest.warns(UserWarning, match=r"mean L0 of at most 2; the sparsest, with 3, is taken"):
        assert search(2, ks=(5, 3)).best_params_ == {"k": 3}


def test_passes_over_failed_fits():
    results = {
        "mean_test_explained_variance": np.array([np.nan, 0.1, 0.4, 0.9]),
        "mean_test_neg_l0": np.array([np.nan, -2.0, -3.0, -9.0]),
    }
    assert best_explained_variance_at_l0(3)(results) == 2
    with pytest.warns(UserWarning, match="the sparsest, with 2, is taken"):
        assert best_explained_variance_at_l0(1)(results) == 1
    # Without the explained variance, an L0 that is low enough says nothing.
    with pytest.warns(UserWarning, match="the sparsest, with 9, is taken"):
        assert (
            best_explained_variance_at_l0(3)(
                {
                    "mean_test_explained_variance": np.array([0.9, np.nan]),
                    "mean_test_neg_l0": np.array([-9.0, -2.0]),
                }
            )
            == 0
        )
    failed = {name: scores[:1] for name, scores in results.items()}
    with pytest.raises(ValueError, match="fit failed"):
        best_explained_variance_at_l0(1)(failed)
    with pytest.raises(ValueError, match="fit failed"):
        best_explained_variance_at_l0(1)(failed | {"mean_test_neg_l0": np.array([-1.0])})


def test_asks_for_the_scores_it_needs():
    with pytest.raises(ValueError, match="no score 'neg_l0': give it scoring=SCORERS"):
        best_explained_variance_at_l0(3)({"mean_test_explained_variance": [0.5]})


@pytest.mark.parametrize("max_l0", [0, -1.0, float("nan"), "a", None, True])
def test_max_l0_is_positive(max_l0):
    with pytest.raises(ValueError, match="max_l0 must be a positive number, got"):
        best_explained_variance_at_l0(max_l0)
