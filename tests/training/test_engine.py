"""The engine's promises: no host reads, skorch's callbacks, honest stops."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from helpers import SAES, given, make_data, quick
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
    LRScheduler,
)

from sklearn_aensae import (
    L1SAE,
    AdaptiveElasticNetSAE,
    ArchetypalSAE,
    BatchTopKSAE,
    MatryoshkaSAE,
    TopKSAE,
    _devices,
    fit_many,
    load,
)
from sklearn_aensae.estimators._fitted import read_module
from sklearn_aensae.exceptions import DivergenceError, TrainingInterruptedWarning
from sklearn_aensae.modules.activations import BatchTopK
from sklearn_aensae.testing import count_host_reads
from sklearn_aensae.training import LearningRateSchedule, Monitor, PenaltyWarmUp, SAENet

X = make_data()


def reads_per_fit(cls, n_steps):
    """Host reads of one epoch of so many steps that logs twice."""
    sae = quick(cls, batch_size=4, max_epochs=1, log_interval=0.5)
    if "adaptation_start" in cls.__dataclass_fields__:
        sae.set_params(adaptation_start=0)
    X = make_data(n_samples=n_steps * 4)
    with count_host_reads() as counter:
        sae.fit(*given(cls, X))
    return counter.n_reads


@pytest.mark.filterwarnings("ignore:the rarest of")
@pytest.mark.parametrize("cls", SAES)
def test_host_reads_do_not_grow_with_the_batches(cls, monkeypatch):
    # The CPU's tensors may be looked at for nothing: behave as with those of a GPU.
    monkeypatch.setattr(_devices, "reads_are_free", lambda device: False)
    reads = {n: reads_per_fit(cls, n) for n in (32, 96)}
    # Who revives dead features looks at the device in between: once in 32 steps.
    allowed = (96 - 32) // 32 if getattr(cls, "dead_features", None) else 0
    assert reads[96] - reads[32] <= allowed


READS = {
    "item": lambda x, n: x.sum().item(),
    "float": lambda x, n: float(x[0]),
    "if": lambda x, n: 1 if x[0] > 0 else 0,
    "range": lambda x, n: range(n[0]),
    "mask": lambda x, n: x[x > 1],
    "mask set": lambda x, n: x.clone().index_put_((x > 1,), x[0]),
    "mask put": lambda x, n: x.index_put((x > 1,), x[0]),
    "nonzero": lambda x, n: x.nonzero(),
    "where": lambda x, n: torch.where(x > 1),
    "masked_select": lambda x, n: x.masked_select(x > 1),
    "equal": lambda x, n: torch.equal(x, x),
    "allclose": lambda x, n: torch.allclose(x, x),
    "unique": lambda x, n: x.unique(),
    "unique rows": lambda x, n: x[None].unique(dim=0),
    "unique_consecutive": lambda x, n: torch.unique_consecutive(x),
    "repeat_interleave": lambda x, n: x.repeat_interleave(n),
    "bincount": lambda x, n: torch.bincount(n),
    "tensor_split": lambda x, n: torch.tensor_split(x, n[:2]),
    "tensor_split by name": lambda x, n: x.tensor_split(tensor_indices_or_sections=n[:2]),
    "cpu": lambda x, n: x.cpu(),
    "numpy": lambda x, n: x.numpy(),
    "asarray": lambda x, n: np.asarray(x),
    "tolist": lambda x, n: x.tolist(),
}
NO_READS = {
    "rows": lambda x, n: list(x),
    "indices": lambda x, n: x[n],
    "indices put": lambda x, n: x.index_put((n,), x),
    "repeats of known number": lambda x, n: x.repeat_interleave(n, output_size=3),
    "split": lambda x, n: x.tensor_split(2),
    "where": lambda x, n: torch.where(x > 1, x, 0),
}


@pytest.mark.parametrize("read", READS)
def test_the_counter_sees_reads(read):
    tensor, numbers = torch.arange(3.0), torch.tensor([1, 2, 3])
    with count_host_reads() as counter:
        READS[read](tensor, numbers)
    assert counter.n_reads == 1


@pytest.mark.parametrize("other", NO_READS)
def test_the_counter_sees_nothing_else(other):
    tensor, numbers = torch.arange(3.0), torch.tensor([0, 2, 1])
    with count_host_reads() as counter:
        NO_READS[other](tensor, numbers)
    assert counter.n_reads == 0


def test_learning_rate_schedule():
    schedule = LearningRateSchedule(1.0, warm_up=3, decay=2, n_steps=10)
    factors = [schedule.factor(step) for step in range(10)]
    np.testing.assert_allclose(factors, [0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 2 / 3, 1 / 3])
    open_end = LearningRateSchedule(1.0, warm_up=1, decay=2, n_steps=None)
    assert [open_end.factor(step) for step in (0, 1, 1000)] == [0.5, 1, 1]


def test_learning_rate_is_applied():
    sae = quick(L1SAE, max_epochs=5, log_interval=1, learning_rate=0.1, lr_warmup=4, lr_decay=0)
    rates = sae.fit(X).history_["learning_rate"]
    np.testing.assert_allclose(rates[:6], [0.02, 0.04, 0.06, 0.08, 0.1, 0.1])


def test_penalty_warm_up():
    weights = []

    class Watch(Callback):
        def on_batch_end(self, net, **kwargs):
            weights.append(float(net.criterion_.terms["l1"].weight))
            assert float(net.criterion_.terms["reconstruction"].weight) == 1

    quick(L1SAE, lambda_1=0.5, lambda_warmup=4, callbacks=[Watch()]).fit(X)
    np.testing.assert_allclose(weights[:6], [0.1, 0.2, 0.3, 0.4, 0.5, 0.5], rtol=1e-6)
    assert PenaltyWarmUp(3).n_steps == 3


def test_skorch_scheduler():
    scheduler = LRScheduler(policy="StepLR", step_size=1, gamma=0.1)
    sae = quick(L1SAE, callbacks=[scheduler], lr_warmup=0, lr_decay=0, log_interval=4)
    np.testing.assert_allclose(sae.fit(X).history_["learning_rate"], [1e-3, 1e-4, 1e-5])


def test_skorch_scheduler_by_batch():
    scheduler = LRScheduler(policy="ExponentialLR", gamma=0.5, step_every="batch")
    sae = quick(L1SAE, callbacks=[scheduler], lr_warmup=0, lr_decay=0, log_interval=1)
    rates = sae.fit(X).history_["learning_rate"]
    np.testing.assert_allclose(rates[:3], [1e-3, 5e-4, 2.5e-4])


def test_skorch_checkpoint(tmp_path):
    checkpoint = Checkpoint(dirname=tmp_path, monitor="train_loss_best")
    sae = quick(L1SAE, callbacks=[checkpoint], max_epochs=5).fit(X)
    saved = torch.load(tmp_path / "params.pt", weights_only=True)
    torch.testing.assert_close(saved["decoder.atoms"].numpy(), sae.components_)
    assert (tmp_path / "optimizer.pt").exists()


def test_skorch_early_stopping_on_held_out_rows(recwarn):
    stopping = EarlyStopping(patience=2, threshold=0.9, sink=lambda text: None)
    sae = quick(L1SAE, callbacks=[stopping], max_epochs=50, validation_fraction=0.25).fit(X)
    assert sae.n_iter_ < 50
    assert len(sae.net_.history[:, "valid_loss"]) == sae.n_iter_
    assert sae.dead_window_ == 90
    # Stopping early is what was asked for: no warning about an interruption.
    assert not [w for w in recwarn if issubclass(w.category, TrainingInterruptedWarning)]


def test_partial_fit_refuses_a_callback_that_waits_for_held_out_rows():
    def make():
        stopping = EarlyStopping(monitor="valid_loss", sink=lambda text: None)
        return quick(L1SAE, callbacks=[stopping], validation_fraction=0.25)

    match = (
        "EarlyStopping .* 'valid_loss', but partial_fit holds out no rows .* use fit, or monitor"
    )
    new, fitted = make(), make().fit(X)
    before = fitted.components_.copy()
    for sae in (new, fitted, fitted.set_params(callbacks=[])):
        with pytest.raises(ValueError, match=match):
            sae.partial_fit(X)
    assert not hasattr(new, "net_")
    assert fitted.n_steps_ == 9
    np.testing.assert_array_equal(fitted.components_, before)


def test_skorch_epoch_scoring_and_gradient_clipping():
    scores = EpochScoring(
        lambda net, X, y=None: float(net.n_steps_), on_train=True, name="steps", use_caching=False
    )
    clipping = GradientNormClipping(1e-9)
    sae = quick(L1SAE, callbacks=[scores, clipping], optimizer="sgd", lr_warmup=0, lr_decay=0)
    before = quick(L1SAE, max_steps=1, optimizer="sgd", learning_rate=1e-30).fit(X)
    sae.fit(X)
    assert sae.net_.history[:, "steps"] == [4, 8, 12]
    np.testing.assert_allclose(sae.components_, before.components_, atol=1e-6)


def test_losses_of_epochs_are_recorded():
    sae = quick(L1SAE, max_epochs=4, log_interval=4).fit(X)
    np.testing.assert_allclose(sae.net_.history[:, "train_loss"], sae.history_["loss"], rtol=1e-5)
    assert all("batches" not in row or not row["batches"] for row in sae.net_.history[:-1])


@pytest.mark.parametrize("writes", [True, False])
def test_records_of_batches_are_kept_where_a_callback_writes_them(writes):
    class Write(Callback):
        def on_batch_end(self, net, **kwargs):
            if writes:
                net.history.record_batch("step", net.n_steps_)

    sae = quick(L1SAE, max_epochs=2, callbacks=[Write()]).fit(X)
    records = sae.net_.history[-1, "batches"]
    assert records == ([{"step": step} for step in (5, 6, 7, 8)] if writes else [{}])


@pytest.mark.parametrize("cls", [L1SAE, TopKSAE])
def test_fit_lets_go_of_memory_that_steps_needed(cls, monkeypatch):
    net = (sae := quick(cls).fit(X)).net_
    assert not net.workspace_._buffers
    assert all(weight.grad is None for _, weight in net.get_all_learnable_params())
    monkeypatch.setattr(SAENet, "release", lambda self: None)
    other = quick(cls).fit(X)
    assert other.net_.workspace_._buffers
    for one in (sae, other):
        one.partial_fit(X)
    np.testing.assert_array_equal(sae.components_, other.components_)


class PressCtrlC(Callback):
    """Sends the process the signal of Ctrl-C in the middle of an epoch."""

    def __init__(self, step):
        self.step = step

    def on_batch_begin(self, net, **kwargs):
        if net.n_steps_ == self.step:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("cls", SAES)
def test_ctrl_c_leaves_a_usable_estimator(cls):
    sae = quick(cls, max_epochs=1000, callbacks=[PressCtrlC(6)])
    with pytest.warns(TrainingInterruptedWarning, match="interrupted after 6 steps"):
        sae.fit(*given(cls, X))
    assert sae.n_steps_ == 6
    assert sae.history_["step"][-1] == 6
    assert np.isfinite(sae.transform(X)).all()
    # Weights are where the decoder wants them: unit atoms, or whatever else it keeps.
    sae.net_.module_.decoder.constrain_()
    dictionary = read_module(sae).decoder.dictionary().detach()
    np.testing.assert_allclose(dictionary, sae.components_, atol=1e-5)
    assert sae.set_params(callbacks=[], max_epochs=2).fit(*given(cls, X)).n_iter_ == 2


def test_ctrl_c_in_the_last_step_says_what_was_left_out():
    class Press(Callback):
        def on_batch_end(self, net, **kwargs):
            if net.n_steps_ == 6:
                os.kill(os.getpid(), signal.SIGINT)

    sae = quick(L1SAE, max_steps=6, decoder_refits=2, callbacks=[Press()])
    with pytest.warns(TrainingInterruptedWarning, match=r"after 6 .* .decoder_refits=2. was"):
        sae.fit(X)


@pytest.mark.parametrize(("event", "step"), [("on_train_begin", 0), ("on_train_end", 12)])
def test_ctrl_c_as_callbacks_begin_or_end(event, step, monkeypatch):
    method = getattr(Monitor, event)

    def press_first(self, net, **kwargs):
        os.kill(os.getpid(), signal.SIGINT)
        method(self, net, **kwargs)

    monkeypatch.setattr(Monitor, event, press_first)
    with pytest.warns(TrainingInterruptedWarning, match=f"interrupted after {step} steps"):
        sae = quick(L1SAE, log_interval=5).fit(X)
    assert sae.history_.get("step", [0])[-1] == sae.n_steps_ == step
    assert not hasattr(dict(sae.net_.callbacks_)["monitor"], "kept_")


@pytest.mark.parametrize("together", [False, True])
def test_ctrl_c_while_thresholds_are_calibrated(together, monkeypatch):
    calibrate = BatchTopK.calibrate

    def press(self, blocks, n_rows):
        if self.n_batches > 0:  # also called as training begins
            os.kill(os.getpid(), signal.SIGINT)
        calibrate(self, blocks, n_rows)

    monkeypatch.setattr(BatchTopK, "calibrate", press)
    saes = [quick(BatchTopKSAE) for _ in range(2)]
    with pytest.warns(TrainingInterruptedWarning, match="interrupted after 12 steps"):
        saes = fit_many(saes, X) if together else [saes[0].fit(X)]
    for sae in saes:
        running = sae.net_.module_.activation.threshold
        assert sae.threshold_ * sae.input_scale_ == pytest.approx(float(running))
        assert np.isfinite(sae.transform(X)).all()


def test_fit_in_a_thread_that_may_not_set_signal_handlers():
    with ThreadPoolExecutor(1) as pool:
        sae = pool.submit(quick(L1SAE).fit, X).result()
    np.testing.assert_array_equal(sae.components_, quick(L1SAE).fit(X).components_)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class Poison(Callback):
    """Makes the loss NaN from some step on, through one weight, and notes counters before."""

    def __init__(self, step):
        self.step = step

    def on_batch_begin(self, net, **kwargs):
        if net.n_steps_ == 10:
            self.counters = counters(net)
        if net.n_steps_ == self.step:
            self.step = None
            with torch.no_grad():
                net.module_.decoder.bias[0] = torch.nan


def counters(net):
    """What training counts outside of tensors, but for who fired when."""
    state = net.module_.state_dict() | net.criterion_.state_dict()
    return {k: v for k, v in state.items() if k.endswith("extra_state") and "tracker" not in k}


@pytest.mark.parametrize("cls", SAES)
def test_divergence_names_the_step_and_keeps_good_weights(cls):
    poison = Poison(12)
    sae = quick(cls, max_epochs=10, log_interval=5, callbacks=[poison])
    with pytest.raises(DivergenceError, match=r"step 13 .*reconstruction.*learning_rate") as error:
        sae.fit(*given(cls, X))
    assert "weights of step 10" in str(error.value)
    assert sae.n_steps_ == 10
    assert sae.history_["step"] == [5, 10]
    assert counters(sae.net_) == poison.counters
    same = quick(cls, max_steps=10, lr_decay=0, lr_warmup=2).fit(*given(cls, X))
    assert np.isfinite(sae.transform(X)).all()
    assert sae.components_.shape == same.components_.shape


@pytest.mark.parametrize("log_interval", [1, 7])
def test_weights_kept_after_divergence_are_those_a_loss_has_approved(log_interval):
    params = {"log_interval": log_interval, "max_steps": 50, "lr_warmup": 0, "lr_decay": 0}
    sae = quick(L1SAE, learning_rate=1e30, optimizer="sgd", **params)
    with pytest.raises(DivergenceError, match="keeps the weights of step 0"):
        sae.fit(X)
    start = quick(L1SAE, learning_rate=1e-30, optimizer="sgd", max_steps=1).fit(X)
    np.testing.assert_allclose(sae.components_, start.components_, rtol=1e-5)


@pytest.mark.parametrize("cls", [AdaptiveElasticNetSAE, BatchTopKSAE, MatryoshkaSAE])
def test_what_is_kept_after_divergence_is_more_than_weights(cls):
    sae = quick(cls, optimizer="sgd", learning_rate=3e3, lr_warmup=0, max_steps=50)
    with pytest.raises(DivergenceError, match="learning_rate is too large"):
        sae.fit(X)
    state = [*sae.net_.module_.buffers(), *sae.net_.criterion_.buffers()]
    assert all(bool(one.isfinite().all()) for one in state)
    assert np.isfinite(sae.transform(X)).all()
    assert (sae.transform(X) > 0).any()


def test_reconstructions_worse_than_the_mean_are_not_passed_over():
    with pytest.warns(UserWarning, match=r"worse than the mean of X: .*learning_rate=1000"):
        quick(TopKSAE, learning_rate=1e3, max_steps=20).fit(X)


@pytest.mark.parametrize("cls", [L1SAE, ArchetypalSAE])
def test_a_mean_that_training_cannot_do_with_is_named(cls):
    with pytest.warns(UserWarning, match="too far from 0: .* StandardScaler") as told:
        quick(cls).fit(X + 1e5)
    assert ("whiten" in str(told[0].message)) == cls._may_whiten


def test_a_callback_may_stop_before_the_first_step():
    class Stop(Callback):
        def on_batch_begin(self, net, **kwargs):
            raise KeyboardInterrupt

    assert quick(L1SAE, target_l0=3, callbacks=[Stop()]).fit(X).n_steps_ == 0


def test_the_last_update_is_checked_too():
    class PoisonAfter(Callback):
        def on_batch_end(self, net, **kwargs):
            if net.n_steps_ == 8:
                with torch.no_grad():
                    net.module_.encoder.weight[0] = torch.inf

    sae = quick(L1SAE, max_steps=8, log_interval=3, callbacks=[PoisonAfter()])
    with pytest.raises(DivergenceError, match=r"step 8 \(not finite: weights\).*weights of step 6"):
        sae.fit(X)
    assert np.isfinite(sae.transform(X)).all()
    # Rows are those of the weights that are kept.
    assert sae.history_["step"] == [3, 6]
    assert {len(column) for column in sae.history_.values()} == {2}


@pytest.mark.parametrize("optimizer", ["adam", "sgd", torch.optim.Adagrad])
def test_training_can_go_on_after_divergence(optimizer, tmp_path):
    sae = quick(L1SAE, max_epochs=10, log_interval=5, callbacks=[Poison(12)], optimizer=optimizer)
    with pytest.raises(DivergenceError):
        sae.fit(X)
    sae.set_params(callbacks=[]).save(tmp_path / "sae")
    loaded = load(tmp_path / "sae")
    for one in (sae, loaded):
        assert one.partial_fit(X).n_steps_ == 14
        assert one.history_["step"] == [5, 10, 14]
        assert np.isfinite(one.components_).all()
    np.testing.assert_array_equal(sae.components_, loaded.components_)


def test_divergence_when_training_goes_on():
    sae = quick(L1SAE, max_steps=10).fit(X)
    good = sae.components_.copy()
    sae.net_.callbacks_.append(("poison", Poison(10)))
    with pytest.raises(DivergenceError, match="keeps the weights of step 10"):
        sae.set_params(max_steps=20).partial_fit(X)
    np.testing.assert_array_equal(sae.components_, good)


def test_partial_fit_says_why_it_does_nothing():
    sae = quick(L1SAE, max_steps=10).fit(X)
    with pytest.warns(UserWarning, match=r"all max_steps=10 steps .* fit included. Set max_steps"):
        sae.partial_fit(X)
    assert sae.set_params(max_steps=None).partial_fit(X).n_steps_ > 10


def test_a_single_pass_has_dead_features():
    # Who is dead is looked up every so many steps.
    sae = quick(TopKSAE, 100, k=1, max_epochs=1, batch_size=1).fit(X)
    assert sae.dead_window_ == len(X) // 4
    assert sae.n_dead_ > 0
    assert max(sae.history_["auxk"]) > 0
    assert sae.set_params(dead_window=len(X)).fit(X).dead_window_ == len(X)


def test_partial_fit_after_fit_goes_on_learning():
    sae = quick(L1SAE, max_epochs=2).fit(X)
    before = sae.components_.copy()
    sae.partial_fit(X)
    assert sae.history_["learning_rate"][-1] == 1e-3
    assert np.abs(sae.components_ - before).max() > 1e-4


def test_early_stopping_needs_rows_to_watch():
    with pytest.raises(ValueError, match="EarlyStopping in callbacks monitors 'valid_loss'"):
        quick(L1SAE, callbacks=[EarlyStopping()]).fit(X)


def test_divergence_by_learning_rate():
    with pytest.raises(DivergenceError, match="learning_rate is too large"):
        quick(L1SAE, optimizer="sgd", learning_rate=1e30, max_epochs=20, dead_window=10).fit(X)


def test_max_steps_overrides_epochs():
    sae = quick(L1SAE, max_steps=6, batch_size=50, max_epochs=1).fit(X)
    assert sae.n_steps_ == 6
    assert sae.n_iter_ == 2


def test_each_epoch_has_its_own_order():
    seen = []

    class Watch(Callback):
        def on_batch_end(self, net, batch=None, **kwargs):
            seen.append(batch[0].numpy().copy())

    quick(L1SAE, batch_size=120, max_epochs=3, input_scaling=None, callbacks=[Watch()]).fit(X)
    for epoch in seen:
        np.testing.assert_allclose(np.sort(epoch[:, 0]), np.sort(X[:, 0]), rtol=1e-6)
    assert not np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[1], seen[2])


def test_progress_bar(capsys):
    quick(L1SAE, verbose=True, max_epochs=2).fit(X)
    err = capsys.readouterr().err
    assert "8/8" in err
    assert "EV=" in err
    quick(L1SAE).fit(X)
    assert not capsys.readouterr().err


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", torch.optim.RMSprop])
def test_optimizers_learn(optimizer):
    rate = 0.1 if optimizer == "sgd" else 1e-2
    sae = quick(TopKSAE, optimizer=optimizer, learning_rate=rate, max_epochs=30).fit(X)
    assert sae.history_["loss"][-1] < 0.8 * sae.history_["loss"][0]
