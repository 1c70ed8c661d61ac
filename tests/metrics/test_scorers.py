import numpy as np
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_aensae.metrics import (
    SCORERS,
    dead_share,
    explained_variance,
    explained_variance_scorer,
    get_scorer,
    l0,
    neg_dead_share_scorer,
    neg_l0_scorer,
)


class ThresholdedAxes(TransformerMixin, BaseEstimator):
    """Keeps the entries above a threshold: codes, reconstruction and score as of a real one."""

    def __init__(self, threshold=0.0, sparse_output=False):
        self.threshold = threshold
        self.sparse_output = sparse_output

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        codes = np.where(np.asarray(X) > self.threshold, X, 0.0)
        return sparse.csr_array(codes) if self.sparse_output else codes

    def inverse_transform(self, codes):
        return codes.toarray() if self.sparse_output else codes

    def get_feature_names_out(self, input_features=None):
        return [f"axis{j}" for j in range(self.n_features_in_)]

    def score(self, X, y=None):
        return explained_variance(X, self.inverse_transform(self.transform(X)))


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(30, 4)) - [0.0, 0.0, 0.0, 9.0]


@pytest.mark.parametrize("sparse_output", [False, True])
def test_scorers_are_the_metrics(X, sparse_output):
    estimator = ThresholdedAxes(0.5, sparse_output).fit(X)
    codes = estimator.transform(X)
    assert explained_variance_scorer(estimator, X) == estimator.score(X)
    assert neg_l0_scorer(estimator, X) == -l0(codes)
    assert neg_dead_share_scorer(estimator, X) == -dead_share(codes) == -0.25


def test_scorers_read_data_frames(X):
    estimator = ThresholdedAxes(0.5).fit(X).set_output(transform="pandas")
    assert neg_l0_scorer(estimator, X) == -l0(ThresholdedAxes(0.5).fit(X).transform(X))


def test_pipelines_are_judged_on_the_input_of_their_last_step(X):
    pipeline = make_pipeline(StandardScaler(), ThresholdedAxes(0.5)).fit(X)
    scaled = StandardScaler().fit_transform(X)
    np.testing.assert_allclose(
        explained_variance_scorer(pipeline, X), ThresholdedAxes(0.5).score(scaled)
    )
    assert neg_l0_scorer(pipeline, X) == -l0(ThresholdedAxes(0.5).transform(scaled))
    assert neg_dead_share_scorer(pipeline, X) == 0.0


def test_pipelines_may_start_from_texts():
    def lengths(texts):
        return np.array([[float(len(text)), 0.0] for text in texts])

    pipeline = make_pipeline(FunctionTransformer(lengths), ThresholdedAxes())
    texts = ["a", "bc", "def"]
    pipeline.fit(texts)
    scores = {name: scorer(pipeline, texts) for name, scorer in SCORERS.items()}
    assert scores == {"explained_variance": 1.0, "neg_l0": -1.0, "neg_dead_share": -0.5}


def test_y_reaches_the_score_method():
    class Target:
        def score(self, X, y=None):
            return y

    assert explained_variance_scorer(Target(), None, 0.5) == 0.5


@pytest.mark.parametrize("name", SCORERS)
def test_single_scorers_in_a_search(X, name):
    search = GridSearchCV(
        ThresholdedAxes(), {"threshold": [0.0, 1.0]}, scoring=get_scorer(name), error_score="raise"
    ).fit(X)
    expected = cross_val_score(ThresholdedAxes(0.0), X, scoring=SCORERS[name]).mean()
    assert search.cv_results_["mean_test_score"][0] == expected


def test_all_scorers_in_one_run(X):
    results = cross_validate(
        ThresholdedAxes(0.5), X, np.zeros(len(X)), cv=KFold(3), scoring=SCORERS
    )
    expected = [-l0(ThresholdedAxes(0.5).transform(X[test])) for _, test in KFold(3).split(X)]
    np.testing.assert_array_equal(results["test_neg_l0"], expected)
    assert {"test_explained_variance", "test_neg_dead_share"} <= set(results)


def test_get_scorer_names_what_there_is():
    assert get_scorer("neg_l0") is neg_l0_scorer
    with pytest.raises(ValueError, match=r"no scorer named 'l0'; names are \['explained_varia"):
        get_scorer("l0")
    with pytest.raises(ValueError, match=r"no scorer named \['neg_l0'\]"):
        get_scorer(["neg_l0"])


@pytest.mark.parametrize(("name", "codes"), [("neg_l0", [[0.0]]), ("neg_dead_share", [[1.0]])])
def test_nothing_is_no_negative_zero(name, codes):
    assert not np.signbit(get_scorer(name)(FunctionTransformer(), codes))
