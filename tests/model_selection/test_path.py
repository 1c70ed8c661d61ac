import os
import signal

import numpy as np
import pytest
from helpers import make_data, quick, state_of
from skorch.callbacks import Callback

from sklearn_aensae import L1SAE, AdaptiveElasticNetSAE, JumpReLUSAE, TopKSAE, sae_path
from sklearn_aensae.exceptions import TrainingInterruptedWarning
from sklearn_aensae.metrics import dead_share, l0
from sklearn_aensae.model_selection._path import measure

X, X_TEST = make_data(150)[:120], make_data(150)[120:]
STRENGTHS = [0.01, 0.1, 0.5]


def test_the_first_is_what_fit_gives():
    sae = quick(AdaptiveElasticNetSAE)
    path = sae_path(X, STRENGTHS, estimator=sae, return_estimators=True)
    alone = quick(AdaptiveElasticNetSAE, lambda_1=STRENGTHS[0]).fit(X)
    assert state_of(path.estimators[0]) == state_of(alone)
    assert sae.lambda_1 == 0.005
    assert not hasattr(sae, "net_")


def test_the_others_go_on_from_the_one_before():
    sae = quick(AdaptiveElasticNetSAE)
    path = sae_path(X, STRENGTHS, estimator=sae, warm_length=0.5, return_estimators=True)
    by_hand = quick(AdaptiveElasticNetSAE, lambda_1=STRENGTHS[0]).fit(X)
    for strength, ours in zip(STRENGTHS[1:], path.estimators[1:], strict=True):
        by_hand.set_params(lambda_1=strength, warm_start=True, max_steps=6).fit(X)
        assert state_of(ours) == state_of(by_hand)
        assert ours.lambda_1 == strength
    assert [e.n_steps_ for e in path.estimators] == [12, 6, 6]


def test_figures_and_dictionaries():
    path = sae_path(
        X, STRENGTHS, estimator=quick(L1SAE), warm_length=4, X_test=X_TEST, return_estimators=True
    )
    assert path.components.shape == (24, 8, 3)
    np.testing.assert_array_equal(path.lambdas, STRENGTHS)
    for i, sae in enumerate(path.estimators):
        codes = sae.transform(X_TEST)
        np.testing.assert_array_equal(path.components[..., i], sae.components_)
        assert path.explained_variance[i] == sae.score(X_TEST)
        assert path.l0[i] == pytest.approx(l0(codes))
        assert path.dead_share[i] == dead_share(codes)
        assert sae.n_steps_ == (4 if i else 12)
    assert path.l0[0] > path.l0[2]


def test_one_order_for_all_without_a_seed():
    seeds = []

    class Note(Callback):
        """Notes the order of rows."""

        def on_train_begin(self, net, X=None, **kwargs):
            seeds.append(X.seed)

        def __deepcopy__(self, memo):
            return self

    path = sae_path(X, STRENGTHS, estimator=quick(L1SAE, random_state=None, callbacks=[Note()]))
    assert len(seeds) == 3
    assert len(set(seeds)) == 1
    assert path.estimators is None


def test_the_number_of_strengths_is_enough():
    path = sae_path(X, 4, estimator=quick(L1SAE), warm_length=1.0)
    assert (np.diff(path.lambdas) > 0).all()
    assert path.l0[-1] < path.l0[0]


def test_growing_strengths_leave_fewer_components_dead():
    sae = quick(AdaptiveElasticNetSAE, max_epochs=20, learning_rate=1e-2)
    growing = sae_path(X, [0.03, 0.3, 3.0], estimator=sae)
    falling = sae_path(X, [3.0, 0.3, 0.03], estimator=sae)
    assert growing.dead_share[0] == 0
    assert falling.dead_share[2] > 0.2
    assert falling.explained_variance[2] < growing.explained_variance[0] - 0.05


class PressCtrlC(Callback):
    """Sends the process the signal of Ctrl-C in the second fit."""

    n_fits = 0

    def on_train_begin(self, net, **kwargs):
        self.n_fits += 1

    def on_batch_begin(self, net, **kwargs):
        if self.n_fits == 2 and net.n_steps_ == 2:
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_ends_the_path():
    with pytest.warns(TrainingInterruptedWarning):
        path = sae_path(X, STRENGTHS, estimator=quick(L1SAE, callbacks=[PressCtrlC()]))
    np.testing.assert_array_equal(path.lambdas, STRENGTHS[:2])
    assert path.components.shape[-1] == len(path.l0) == 2


class Blocks:
    """A stream that can start again."""

    def __iter__(self):
        return iter(np.array_split(X, 3))


def test_a_stream_that_can_start_again():
    sae = quick(L1SAE, max_steps=8)
    path = sae_path(Blocks(), 2, estimator=sae, X_test=X_TEST)
    assert path.components.shape == (24, 8, 2)
    with pytest.raises(ValueError, match="give X_test"):
        sae_path(Blocks(), 2, estimator=sae)


class NoFit(Callback):
    """Fails where training begins."""

    def on_train_begin(self, net, **kwargs):
        raise AssertionError("trained")


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        (X_TEST[:, :3].tolist(), "X has 3 features, but L1SAE is expecting 8"),
        (np.full((2, 8), np.nan), "NaN"),
        (iter([X_TEST]), "stream"),
        ("nonsense", "is the string"),
    ],
)
def test_rows_to_measure_on_are_refused_before_training(rows, match):
    with pytest.raises(ValueError, match=f"X_test is not what it should be.*{match}"):
        sae_path(X, STRENGTHS, estimator=quick(L1SAE, callbacks=[NoFit()]), X_test=rows)


def test_an_iterator_is_refused_before_training():
    sae = quick(L1SAE, max_steps=8, callbacks=[NoFit()])
    for lambdas in (2, STRENGTHS):
        blocks = iter([X, X])
        with pytest.raises(TypeError, match="X is an iterator"):
            sae_path(blocks, lambdas, estimator=sae, X_test=X_TEST)
        assert len(list(blocks)) == 2


def test_every_row_is_encoded_once(monkeypatch):
    sae = quick(L1SAE).fit(X)
    seen = []
    encode = L1SAE._encode_rows

    def count(self, module, rows):
        seen.append(len(rows))
        return encode(self, module, rows)

    monkeypatch.setattr(L1SAE, "_encode_rows", count)
    measure(sae, X_TEST)
    assert sum(seen) == len(X_TEST)


def test_what_has_no_path(tmp_path):
    for bad in (quick(TopKSAE), quick(JumpReLUSAE), "sae"):
        with pytest.raises(TypeError, match="lambda_1"):
            sae_path(X, estimator=bad)
    with pytest.raises(ValueError, match="checkpoint_dir"):
        sae_path(X, estimator=quick(L1SAE, checkpoint_dir=tmp_path))
    for length in (0, 0.0, 1.5, "long"):
        with pytest.raises(ValueError, match="warm_length must be"):
            sae_path(X, estimator=quick(L1SAE), warm_length=length)
