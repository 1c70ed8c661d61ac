"""Estimators that are fitted together end up as if each had been fitted alone."""

import os
import signal

import numpy as np
import pytest
import torch
from helpers import SAES, as_block, given, make_data, quick, state_of
from sklearn.base import clone
from skorch.callbacks import Callback, EarlyStopping

from sklearn_aensae import (
    L1SAE,
    AdaptiveElasticNetSAE,
    BatchTopKSAE,
    Crosscoder,
    GatedSAE,
    TopKSAE,
    Transcoder,
    fit_many,
)
from sklearn_aensae.exceptions import DivergenceError, TrainingInterruptedWarning

X = make_data()
TARGETED = [Transcoder]
PLAIN = [cls for cls in SAES if cls not in {Crosscoder, *TARGETED}]


def several(**params):
    """Different classes, sizes and strengths."""
    return [
        quick(AdaptiveElasticNetSAE, lambda_1=0.02, learning_rate=3e-3, **params),
        quick(AdaptiveElasticNetSAE, 16, lambda_1=0.1, log_interval=2, **params),
        quick(BatchTopKSAE, k=3, **params),
    ]


def assert_same(together, alone, X=X):
    for ours, theirs in zip(together, alone, strict=True):
        assert state_of(ours) == state_of(theirs)
        np.testing.assert_array_equal(ours.transform(X), theirs.transform(X))
        assert ours.n_features_in_ == theirs.n_features_in_


@pytest.mark.filterwarnings("ignore:the rarest of")
def test_all_estimators_at_once():
    together = fit_many([quick(cls) for cls in PLAIN], X)
    assert [type(sae) for sae in together] == PLAIN
    assert_same(together, [quick(cls).fit(X) for cls in PLAIN])


@pytest.mark.parametrize("cls", [Crosscoder, *TARGETED])
def test_other_inputs(cls):
    grid = [{"n_components": 24}, {"n_components": 12}]
    together = fit_many([quick(cls, **params) for params in grid], *given(cls, X))
    assert_same(together, [quick(cls, **params).fit(*given(cls, X)) for params in grid])


@pytest.mark.parametrize(
    "params",
    [
        {"validation_fraction": 0.2},
        {"max_steps": 7},
        {"shuffle": False, "input_scaling": "sample_norm"},
        {"dtype": "float64", "input_scaling": None, "batch_size": 1000},
        {"input_scaling": "whiten"},
    ],
)
def test_under_other_settings(params):
    assert_same(fit_many(several(**params), X), [sae.fit(X) for sae in several(**params)])


def test_training_goes_on_alike():
    together, alone = fit_many(several(), X), [sae.fit(X) for sae in several()]
    for sae in (*together, *alone):
        sae.partial_fit(X)
    assert_same(together, alone)


def test_without_a_seed_all_get_the_same():
    weak, strong, same = fit_many([quick(L1SAE, random_state=None) for _ in range(3)], X)
    assert state_of(weak) == state_of(strong) == state_of(same)


def test_a_stream_is_read_once():
    read = []

    def blocks():
        for i, block in enumerate(np.array_split(np.tile(X, (4, 1)), 16)):
            read.append(i)
            yield block

    together = fit_many(several(max_steps=12), blocks())
    once = len(read)
    assert read == list(range(once))
    alone = [sae.fit(blocks()) for sae in several(max_steps=12)]
    assert len(read) == 4 * once
    assert_same(together, alone)


def test_a_stream_of_pairs():
    def pairs():
        return (as_block(Transcoder, block) for block in np.array_split(X, 4))

    grid = [{"k": 2}, {"k": 5}]
    together = fit_many([quick(Transcoder, max_steps=3, **params) for params in grid], pairs())
    assert_same(together, [quick(Transcoder, max_steps=3, **p).fit(pairs()) for p in grid])


def test_names_of_features_are_known_to_all():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X).add_prefix("x")
    for sae in fit_many(several(), frame):
        np.testing.assert_array_equal(sae.feature_names_in_, frame.columns)
    for sae in fit_many(several(), X):
        assert not hasattr(sae, "feature_names_in_")


class PressCtrlC(Callback):
    """Sends the process the signal of Ctrl-C before a step."""

    def __init__(self, step):
        self.step = step

    def on_batch_begin(self, net, **kwargs):
        if net.n_steps_ == self.step:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("presser", [0, 1, 2])
def test_ctrl_c_stops_all_at_the_same_step(presser):
    saes = several(max_epochs=1000)
    saes[presser].set_params(callbacks=[PressCtrlC(6)])
    with pytest.warns(TrainingInterruptedWarning, match="after 7 steps; the 3 estimators"):
        fit_many(saes, X)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    for sae in saes:
        assert sae.n_steps_ == sae.history_["step"][-1] == 7
        assert np.isfinite(sae.transform(X)).all()
        np.testing.assert_allclose(np.linalg.norm(sae.components_, axis=1), 1, atol=1e-5)


class PressAt(Callback):
    """Sends the signal of Ctrl-C at an event, after some step; counts ends of training."""

    def __init__(self, event, n_presses=1, step=None):
        self.event, self.n_presses, self.step, self.n_ends = event, n_presses, step, 0

    def notify(self, event, net):
        self.n_ends += event == "on_train_end"
        if event == self.event and self.step in {None, net.n_steps_}:
            for _ in range(self.n_presses):
                os.kill(os.getpid(), signal.SIGINT)

    def on_train_begin(self, net, **kwargs):
        self.notify("on_train_begin", net)

    def on_batch_end(self, net, **kwargs):
        self.notify("on_batch_end", net)

    def on_train_end(self, net, **kwargs):
        self.notify("on_train_end", net)


@pytest.mark.parametrize("presser", [0, 2])
@pytest.mark.parametrize("n_presses", [1, 2])
@pytest.mark.parametrize(
    ("event", "step"), [("on_train_begin", 0), ("on_batch_end", 6), ("on_train_end", 12)]
)
def test_ctrl_c_stops_all_whenever_it_is_pressed(event, step, n_presses, presser):
    saes = several()
    for i, sae in enumerate(saes):
        sae.set_params(callbacks=[PressAt(event if i == presser else None, n_presses, step)])
    with pytest.warns(TrainingInterruptedWarning, match=f"after {step} steps; the 3 estimators"):
        fit_many(saes, X)
    # A second press in the midst of a step leaves some without it.
    late = [n_presses == 2 and event == "on_batch_end" and i > presser for i in range(3)]
    assert [sae.n_steps_ for sae in saes] == [step - one for one in late]
    for sae in saes:
        (callback,) = sae.callbacks
        assert callback.n_ends == 1
        assert sae.history_.get("step", [0])[-1] == sae.n_steps_
        assert not hasattr(dict(sae.net_.callbacks_)["monitor"], "kept_")
        assert np.isfinite(sae.transform(X)).all()


def test_ctrl_c_in_the_refits_at_the_end_leaves_all_fitted(monkeypatch):
    saes = [quick(L1SAE, max_steps=5, decoder_refits=1) for _ in range(2)]
    polished = []

    def interrupted(self, source):
        polished.append(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(L1SAE, "_polish", interrupted)
    with pytest.warns(TrainingInterruptedWarning, match="after 5 steps; the 2 estimators"):
        fit_many(saes, X)
    assert polished == saes[:1]
    for sae in saes:
        assert np.isfinite(sae.transform(X)).all()


class StopAfter(Callback):
    """Stops training early, as skorch's callbacks do."""

    def on_epoch_end(self, net, **kwargs):
        raise KeyboardInterrupt


def test_who_stops_early_leaves_the_others_alone(recwarn):
    def make():
        saes = several(validation_fraction=0.2, max_epochs=6)
        stopping = EarlyStopping(patience=2, threshold=0.9, sink=lambda text: None)
        saes[0].set_params(callbacks=[StopAfter()])
        saes[1].set_params(callbacks=[stopping])
        return saes

    together, alone = fit_many(make(), X), [sae.fit(X) for sae in make()]
    assert [sae.n_iter_ for sae in together] == [1, 3, 6]
    assert_same(together, alone)
    assert not [w for w in recwarn if issubclass(w.category, TrainingInterruptedWarning)]


def test_all_may_stop_early():
    saes = [quick(L1SAE, callbacks=[StopAfter()]) for _ in range(2)]
    assert [sae.n_iter_ for sae in fit_many(saes, X)] == [1, 1]


class Poison(Callback):
    """Makes the loss NaN from step 5 on."""

    def on_batch_begin(self, net, **kwargs):
        if net.n_steps_ == 5:
            with torch.no_grad():
                net.module_.encoder.bias[0] = torch.nan


def test_who_diverges_leaves_the_others_alone():
    saes, alone = several(), several()
    for poisoned in (saes[1], alone[1]):
        poisoned.set_params(callbacks=[Poison()])
    with pytest.raises(DivergenceError, match=r"estimators\[1\] of 3: .* in step 6"):
        fit_many(saes, X)
    with pytest.raises(DivergenceError):
        alone[1].fit(X)
    assert saes[1].n_steps_ == 4
    assert_same(saes, [alone[0].fit(X), alone[1], alone[2].fit(X)])


def test_data_that_break_off_leave_all_fitted():
    saes = several(max_steps=12)
    with pytest.raises(ValueError, match="has given all of its 120 rows"):
        fit_many(saes, iter([X]))
    assert [sae.n_steps_ for sae in saes] == [4, 4, 4]
    assert all(np.isfinite(sae.transform(X)).all() for sae in saes)


def test_each_shows_its_bar(capsys):
    fit_many([quick(L1SAE), quick(TopKSAE)], X)
    assert not capsys.readouterr().err
    fit_many([quick(L1SAE, verbose=True), quick(TopKSAE)], X)
    assert "12/12" in capsys.readouterr().err


def test_what_cannot_be_trained_together(tmp_path):
    def refused(match, *saes, X=X, y=None, error=ValueError):
        with pytest.raises(error, match=match):
            fit_many(saes, X, y)

    sae, stop = quick(L1SAE), StopAfter()
    refused("at least one")
    refused(r"estimators\[1\] is of type str", sae, "sae", error=TypeError)
    refused(r"estimators\[1\] is the same object as estimators\[0\]", sae, sae)
    for name, value in {"batch_size": 16, "random_state": 1, "dtype": "float64"}.items():
        refused(
            rf"estimators\[1\] has {name}=.*estimators\[0\] has", sae, quick(L1SAE, **{name: value})
        )
    refused("lambda_1", sae, quick(L1SAE, lambda_1=-1.0))
    shared = [quick(L1SAE, callbacks=[stop]), quick(TopKSAE, callbacks=[stop])]
    refused(r"estimators\[1\] has a callback", *shared)
    refused("no checkpoints", quick(L1SAE, checkpoint_dir=tmp_path))
    refused("warm_start=True", quick(L1SAE, warm_start=True).fit(X))
    refused("targets", sae, quick(Transcoder), y=X)
    refused("views", quick(L1SAE), quick(Crosscoder))
    refused("max_steps", sae, quick(GatedSAE), X=iter([X]))


def test_decoders_are_refitted_where_one_asks_for_it():
    grid = [{"decoder_refits": 2, "debias": True}, {"decoder_refits": 0}]
    together = fit_many([quick(L1SAE, **params) for params in grid], X)
    assert_same(together, [quick(L1SAE, **params).fit(X) for params in grid])
    with pytest.raises(ValueError, match="decoder_refits=2 reads rows again.*X is a stream"):
        fit_many([quick(L1SAE, **params, max_steps=5) for params in reversed(grid)], iter([X]))


def test_clones_with_a_generator_of_random_numbers():
    sae = quick(L1SAE, random_state=np.random.RandomState(0))
    together = fit_many([clone(sae), clone(sae).set_params(lambda_1=0.1)], X)
    assert_same(together, [clone(sae).fit(X), clone(sae).set_params(lambda_1=0.1).fit(X)])
    other = clone(sae).set_params(random_state=np.random.RandomState(1))
    with pytest.raises(ValueError, match=r"estimators\[1\] has random_state="):
        fit_many([sae, other], X)


def test_a_device_by_its_name_and_as_torchs_are_the_same():
    names = ["cpu", torch.device("cpu")]
    first, second = fit_many([quick(L1SAE, device=device) for device in names], X)
    np.testing.assert_array_equal(first.components_, second.components_)
