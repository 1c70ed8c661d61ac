import os
import pickle
import signal

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import make_data, quick, state_of
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import make_scorer, r2_score
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.callbacks import Callback

from sklearn_aensae import (
    L1SAE,
    AdaptiveElasticNetSAE,
    AdaptiveElasticNetSAECV,
    GatedSAE,
    TopKSAE,
    sae_path,
)
from sklearn_aensae.exceptions import TrainingInterruptedWarning
from sklearn_aensae.metrics import neg_l0_scorer

X = make_data()
STRENGTHS = [0.01, 0.1, 0.5]


def make(**params):
    """Trains until it has learned something."""
    return quick(AdaptiveElasticNetSAE, **({"max_epochs": 10, "learning_rate": 1e-2} | params))


def search(sae=None, **params):
    sae = make() if sae is None else sae
    return AdaptiveElasticNetSAECV(sae, **({"lambdas": STRENGTHS, "cv": 2} | params))


@parametrize_with_checks(
    [
        AdaptiveElasticNetSAECV(
            AdaptiveElasticNetSAE(8, max_epochs=2), lambdas=2, cv=2, random_state=0
        )
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_folds_are_paths():
    cv = search(max_l0=100).fit(X)
    for i, (train, test) in enumerate(KFold(2).split(X)):
        path = sae_path(X[train], STRENGTHS, estimator=make(), X_test=X[test])
        np.testing.assert_array_equal(cv.ev_path_[:, i], path.explained_variance)
        np.testing.assert_array_equal(cv.l0_path_[:, i], path.l0)
        np.testing.assert_array_equal(cv.dead_share_path_[:, i], path.dead_share)
    assert cv.ev_path_.shape == (3, 2)
    np.testing.assert_array_equal(cv.score_path_, cv.ev_path_)
    assert cv.best_score_ == cv.ev_path_.mean(1).max()
    assert cv.lambda_1_ == STRENGTHS[0]


def test_codes_by_a_method_of_ones_choice():
    cv = search(max_l0=100).fit(X)
    for method in (None, "encoder", "exact"):
        np.testing.assert_array_equal(cv.encode(X, method), cv.best_estimator_.encode(X, method))
    assert not np.array_equal(cv.encode(X, "exact"), cv.transform(X))
    assert hasattr(AdaptiveElasticNetSAECV(), "encode")
    assert not hasattr(AdaptiveElasticNetSAECV(GatedSAE()), "encode")


def test_the_best_is_trained_on_all_rows():
    l0 = search().fit(X).l0_path_.mean(1)
    cv = search(max_l0=float(l0[1]) + 0.01).fit(X)
    assert cv.lambda_1_ == STRENGTHS[1] == cv.best_estimator_.lambda_1
    assert cv.lambda_2_ == 1e-4
    path = sae_path(X, STRENGTHS, estimator=make(), return_estimators=True)
    assert state_of(cv.best_estimator_) == state_of(path.estimators[1])
    best = cv.best_estimator_
    np.testing.assert_array_equal(cv.transform(X), best.transform(X))
    np.testing.assert_array_equal(cv.reconstruct(X), best.reconstruct(X))
    codes = cv.transform(X)
    np.testing.assert_array_equal(cv.inverse_transform(codes), best.inverse_transform(codes))
    assert cv.score(X) == best.score(X)


def test_processes_change_nothing():
    alone, spread = search(n_jobs=1).fit(X), search(n_jobs=2).fit(X)
    np.testing.assert_allclose(spread.ev_path_, alone.ev_path_, atol=1e-4)
    assert spread.lambda_1_ == alone.lambda_1_


def test_the_other_penalty_is_chosen_too():
    cv = search(lambda_2=[1e-4, 3.0], scoring="explained_variance_of_sae")
    with pytest.raises(ValueError, match="scoring"):
        cv.fit(X)
    cv.set_params(scoring=None, max_l0=100).fit(X)
    assert cv.ev_path_.shape == cv.l0_path_.shape == (2, 3, 2)
    assert cv.lambda_2_ == cv.best_estimator_.lambda_2 == 1e-4
    assert search(lambda_2=3.0).fit(X).ev_path_.shape == (3, 2)
    assert search(quick(L1SAE)).fit(X).lambda_2_ is None


def test_a_clone_of_the_best_trains_as_long_as_the_estimator_given():
    sae = make()
    best = search(sae).fit(X).best_estimator_
    changed = {
        name: value for name, value in best.get_params().items() if value != sae.get_params()[name]
    }
    assert changed.keys() == {"lambda_1"}
    assert clone(best).fit(X).n_steps_ == clone(sae).fit(X).n_steps_


@pytest.mark.parametrize("scoring", ["r2", make_scorer(r2_score)])
def test_scores_of_predictions_are_refused(scoring):
    with pytest.raises(ValueError, match="scoring must be .*neg_l0.* got .*r2.*targets"):
        search(scoring=scoring).fit(X)


def test_scoring_replaces_explained_variance():
    cv = search(scoring=neg_l0_scorer).fit(X)
    np.testing.assert_allclose(cv.score_path_, -cv.l0_path_)
    assert cv.lambda_1_ == STRENGTHS[int(cv.l0_path_.mean(1).argmin())]


def test_without_a_target_little_is_lost():
    cv = search(lambdas=[1e-4, 1e-3, 5.0]).fit(X)
    assert cv.lambda_1_ < 5


def test_one_seed_for_all():
    cv = search(make(random_state=None), random_state=3)
    assert state_of(cv.fit(X).best_estimator_) == state_of(clone(cv).fit(X).best_estimator_)
    assert cv.best_estimator_.random_state == 3


def test_kinds_of_data(tmp_path):
    cv = search(cv=ShuffleSplit(1, random_state=0), lambdas=[0.01]).fit(X)
    assert cv.ev_path_.shape == (1, 1)
    frame = clone(cv).fit(pd.DataFrame(X).add_prefix("x"))
    assert list(frame.feature_names_in_) == [f"x{i}" for i in range(8)]
    assert frame.transform(pd.DataFrame(X).add_prefix("x")).shape == (120, 24)
    tensor = clone(cv).fit(torch.from_numpy(X))
    np.testing.assert_allclose(tensor.transform(X), cv.transform(X), atol=1e-5)
    np.save(tmp_path / "X.npy", X)
    mapped = clone(cv).fit(tmp_path / "X.npy")
    np.testing.assert_array_equal(mapped.transform(X), cv.transform(X))
    with pytest.raises(ValueError, match="X is a stream"):
        clone(cv).fit(iter([X]))


def test_pickles_and_frames():
    cv = search().fit(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(cv)).transform(X), cv.transform(X))
    assert cv.get_feature_names_out()[0] == "adaptiveelasticnetsaecv0"
    assert cv.set_output(transform="pandas").transform(X).shape == (120, 24)


class PressCtrlC(Callback):
    """Sends the process the signal of Ctrl-C in the fit of that number."""

    left = 0

    def on_train_begin(self, net, **kwargs):
        # Each fit has a clone of its own.
        PressCtrlC.left -= 1

    def on_batch_begin(self, net, **kwargs):
        if self.left == 0 and net.n_steps_ == 2:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(("number", "kept"), [(1, False), (7, False), (8, True)])
def test_ctrl_c(number, kept, monkeypatch):
    # Two folds of three fits each, then two more up to the chosen strength.
    monkeypatch.setattr(PressCtrlC, "left", number)
    cv = search(make(callbacks=[PressCtrlC()]), scoring=second_strength)
    with pytest.warns(TrainingInterruptedWarning):
        if kept:
            assert cv.fit(X).best_estimator_.n_steps_ == 2
        else:
            with pytest.raises(KeyboardInterrupt):
                cv.fit(X)
    assert hasattr(cv, "best_estimator_") == kept


def second_strength(sae, X):
    """A scorer that prefers this one."""
    return float(sae.lambda_1 == STRENGTHS[1])


def test_bad_parameters():
    for params, match in (
        ({"max_l0": 0.0}, "max_l0 must be"),
        ({"warm_length": 0}, "warm_length"),
        ({"lambdas": []}, "lambdas"),
        ({"lambda_2": -1.0}, "lambda_2"),
    ):
        with pytest.raises(ValueError, match=match):
            search(**params).fit(X)
    with pytest.raises(TypeError, match="lambda_1"):
        search(quick(TopKSAE)).fit(X)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("estimator", [3, "sae", AdaptiveElasticNetSAE]),
        ("eps", ["foo", None, [0.1], True, 0.0, 1.0, np.nan]),
        ("max_l0", ["foo", [1], np.array([1, 2]), True, np.inf, np.nan, -1]),
        ("lambda_2", [[], "foo", ["a"], [[0.1, 0.2]], [[0.1], [0.1, 0.2]], True, [0.1, np.nan]]),
        ("scoring", ["foo", ["neg_l0"], 3]),
        ("cv", [[], "foo", 2.5]),
        ("random_state", [2.5, "foo", -1]),
    ],
)
def test_what_a_parameter_may_not_be(name, values):
    for value in values:
        given = {"sae": value} if name == "estimator" else {name: value}
        with pytest.raises((ValueError, TypeError), match=name):
            search(**({"lambdas": 2} | given)).fit(X)


def test_a_fit_that_fails_leaves_what_there_was():
    cv = search(lambdas=[])
    with pytest.raises(ValueError, match="lambdas"):
        cv.fit(X)
    with pytest.raises(NotFittedError):
        cv.transform(X)
    cv.set_params(lambdas=[0.1]).fit(X)
    codes = cv.transform(X)
    with pytest.raises(ValueError, match="lambdas"):
        cv.set_params(lambdas=[]).fit(X[:, :3])
    assert cv.n_features_in_ == 8
    np.testing.assert_array_equal(cv.transform(X), codes)


def test_the_share_is_checked_where_strengths_are_given():
    with pytest.raises(ValueError, match="eps must be"):
        search(lambdas=[0.1], eps="foo").fit(X)


def test_a_penalty_that_the_estimator_does_not_have():
    with pytest.raises(ValueError, match="lambda_2 must be None, as L1SAE has no such parameter"):
        search(quick(L1SAE), lambda_2=[0.1]).fit(X)


def test_groups_stay_together():
    groups = np.arange(len(X)) // 3 % 5
    splitter = GroupKFold(3)
    cv = search(lambdas=[0.1], cv=splitter).fit(X, groups=groups)
    for i, (train, test) in enumerate(splitter.split(X, groups=groups)):
        path = sae_path(X[train], [0.1], estimator=make(), X_test=X[test])
        np.testing.assert_array_equal(cv.ev_path_[:, i], path.explained_variance)
    with pytest.raises(ValueError, match="groups"):
        search(cv=splitter).fit(X)
    pipeline = make_pipeline(StandardScaler(), search(lambdas=[0.1], cv=splitter))
    pipeline.fit(X, adaptiveelasticnetsaecv__groups=groups)
    assert pipeline[-1].ev_path_.shape == (1, 3)


def test_some_features_only():
    cv = search(lambdas=[0.1]).fit(X)
    np.testing.assert_array_equal(cv.transform(X, features=[3, 1]), cv.transform(X)[:, [3, 1]])
    with pytest.raises(ValueError, match="set_output"):
        cv.set_output(transform="pandas").transform(X, features=[1])
