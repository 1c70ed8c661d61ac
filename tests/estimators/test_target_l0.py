"""`target_l0`: the penalty is driven until rows that were not trained on have the wanted L0."""

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import dies_in_step, make_data, quick, state_of
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback

from sklearn_aensae import (
    L1SAE,
    AdaptiveElasticNetSAE,
    ElasticNetSAE,
    JumpReLUSAE,
    PAnnealingSAE,
    _devices,
    all_saes,
    fit_many,
    load,
)
from sklearn_aensae.datasets import make_spiked_dictionary
from sklearn_aensae.estimators import _exact, _matching
from sklearn_aensae.estimators._exact import ExactCodingSAE
from sklearn_aensae.exceptions import TrainingInterruptedWarning
from sklearn_aensae.io._folder import read_folder, write_folder
from sklearn_aensae.metrics import kkt_residuals
from sklearn_aensae.testing import count_host_reads

# Most fits here are a dozen steps long, which is too short for any target.
pytestmark = pytest.mark.filterwarnings("ignore:target_l0=.* was missed")

PENALISED = [cls for _, cls in all_saes() if "lambda_1" in cls.__dataclass_fields__]
EXACT = [cls for cls in PENALISED if issubclass(cls, ExactCodingSAE)]
X = make_data()


@pytest.fixture(scope="module")
def rows():
    """Rows to train on, and others."""
    found, _, _ = make_spiked_dictionary(
        42_000, 32, 64, n_active=8, noise_std=0.05, dtype=np.float32, random_state=0
    )
    return found[:40_000], found[40_000:]


# The strength that is needed is more than ten times the first and less than a ninth of the second.
@pytest.mark.parametrize(("target", "lambda_1"), [(8, 0.002), (16, 0.3)])
@pytest.mark.parametrize("cls", PENALISED)
def test_held_out_l0_meets_the_target(cls, target, lambda_1, rows):
    sae = cls(
        128, lambda_1=lambda_1, target_l0=target, max_steps=600, batch_size=128,
        learning_rate=4e-3, random_state=0,
    ).fit(rows[0])  # fmt: skip
    found = (sae.transform(rows[1]) > 0).sum(1).mean()
    ratio = sae.lambda_1_ / lambda_1
    print(f"{cls.__name__}: L0 {found:.2f} for {target}, lambda_1 times {ratio:.2f}")
    assert found == pytest.approx(target, rel=0.05)
    assert (ratio > 10) if lambda_1 < 0.01 else (ratio < 1 / 9)
    assert sae.history_["lambda_1"][-1] == sae.lambda_1_


def test_who_has_a_penalty_has_a_target():
    assert len(PENALISED) >= 9
    assert all("target_l0" in cls.__dataclass_fields__ for cls in PENALISED)


@pytest.mark.parametrize("cls", PENALISED)
def test_without_a_target_the_strength_is_the_parameter(cls):
    sae = quick(cls, lambda_1=0.03).fit(X)
    assert sae.lambda_1_ == 0.03
    assert "lambda_1" not in sae.history_


@pytest.mark.parametrize("cls", PENALISED)
@pytest.mark.parametrize("step", [2, 7])
def test_resuming_changes_nothing(cls, step, tmp_path):
    def make(folder=None):
        files = {} if folder is None else {"checkpoint_dir": folder, "checkpoint_interval": 1}
        return quick(cls, target_l0=3, lambda_warmup=4, log_interval=5, **files)

    with dies_in_step(step):
        make(tmp_path).fit(X)
    resumed, whole = make(tmp_path).fit(X), make().fit(X)
    assert whole.lambda_1_ != whole.lambda_1
    assert resumed.lambda_1_ == whole.lambda_1_
    assert state_of(resumed) == state_of(whole)


@pytest.mark.parametrize("cls", PENALISED)
def test_the_host_reads_nothing_between_log_rows(cls, monkeypatch):
    monkeypatch.setattr(_devices, "reads_are_free", lambda device: False)
    reads = []
    for n_steps in (8, 40):
        sae = quick(cls, target_l0=3, batch_size=4, max_epochs=1, log_interval=0.5)
        with count_host_reads() as counter:
            sae.fit(make_data(n_samples=4 * n_steps))
        reads.append(counter.n_reads)
    assert reads[0] == reads[1]


def test_training_goes_on_from_the_strength_it_has(tmp_path):
    sae = quick(L1SAE, target_l0=3, log_interval=1).fit(X)
    before = sae.lambda_1_
    sae.save(tmp_path / "sae")
    again = load(tmp_path / "sae")
    assert again.lambda_1_ == before
    for one in (sae, again):
        one.partial_fit(X)
    assert again.lambda_1_ == sae.lambda_1_ != before
    assert abs(np.log(sae.history_["lambda_1"][12] / before)) < 0.5


def test_an_open_end_has_a_target_too():
    sae = quick(L1SAE, target_l0=3, lambda_1=0.01, learning_rate=0.01)
    for _ in range(250):
        sae.partial_fit(X)
    assert np.mean(sae.history_["l0"][-20:]) == pytest.approx(3, rel=0.1)


def test_only_lambda_1_is_driven():
    sae = quick(ElasticNetSAE, target_l0=3, lambda_2=0.01, max_epochs=20).fit(X)
    terms = sae.net_.criterion_.terms
    assert float(terms["l2"].weight) == pytest.approx(0.01)
    assert float(terms["l1"].weight) == pytest.approx(sae.lambda_1_, rel=0.1)
    assert sae.lambda_1_ > 0.01


class Weights(Callback):
    """Keeps the weight of the penalty in each step."""

    def on_train_begin(self, net, **kwargs):
        self.seen = []

    def on_batch_end(self, net, training=False, **kwargs):
        self.seen.append(float(net.criterion_.terms["l1"].weight))


def test_the_penalty_still_warms_up():
    weights = Weights()
    sae = quick(L1SAE, target_l0=3, lambda_warmup=9, log_interval=1, callbacks=[weights]).fit(X)
    shares = np.minimum(1, np.arange(1, 13) / 10)
    strengths = np.array([sae.lambda_1, *sae.history_["lambda_1"][:-1]])
    np.testing.assert_allclose(weights.seen, shares * strengths, rtol=1e-6)


def test_exact_codes_have_the_strength_of_the_end():
    sae = quick(L1SAE, target_l0=3, max_epochs=20, dtype="float64").fit(X)
    assert sae.lambda_1_ != sae.lambda_1
    np.testing.assert_array_equal(sae._strengths(), np.full(24, sae.lambda_1_))


@pytest.mark.parametrize(
    ("cls", "refits", "debias"),
    [(cls, 1, "thresholded") for cls in EXACT]
    + [(L1SAE, 1, True), (L1SAE, 0, False), (AdaptiveElasticNetSAE, 0, False)],
)
def test_codes_that_are_solved_for_meet_the_target(cls, refits, debias, rows):
    params = {"max_steps": 300, "batch_size": 128, "learning_rate": 4e-3, "random_state": 0}
    params |= {"decoder_refits": refits, "debias": debias, "transform_method": "exact"}
    sae = cls(128, target_l0=12, **params).fit(rows[0][:8_000])
    found = (sae.transform(rows[1]) > 0).sum(1).mean()
    print(f"{cls.__name__}: L0 {found:.2f} for 12, lambda_1_ {sae.lambda_1_:.4f}")
    assert found == pytest.approx(12, rel=0.05)
    # Training has another strength; the log is of training.
    assert sae.lambda_1_ != pytest.approx(sae.history_["lambda_1"][-1], rel=0.01)


@pytest.mark.parametrize(("cls", "refine_steps"), [(cls, 2) for cls in EXACT] + [(L1SAE, 4)])
def test_refined_codes_meet_the_target(cls, refine_steps, rows):
    params = {"max_steps": 300, "batch_size": 128, "learning_rate": 4e-3, "random_state": 0}
    sae = cls(128, target_l0=12, refine_steps=refine_steps, **params).fit(rows[0][:8_000])
    found = (sae.transform(rows[1]) > 0).sum(1).mean()
    print(f"{cls.__name__}: L0 {found:.2f} for 12, lambda_1_ {sae.lambda_1_:.4f}")
    assert found == pytest.approx(12, rel=0.05)


@pytest.mark.parametrize("asked", [{"transform_method": "exact"}, {"refine_steps": 2}])
def test_the_target_can_be_met_later(asked, rows):
    params = {"max_steps": 300, "batch_size": 128, "learning_rate": 4e-3, "random_state": 0}
    sae = L1SAE(128, target_l0=12, **params).fit(rows[0])
    before, atoms = sae.lambda_1_, sae.components_.copy()
    sae.set_params(**asked, max_steps=None).partial_fit(rows[0][:128]).match_l0(rows[0])
    assert (sae.transform(rows[1]) > 0).sum(1).mean() == pytest.approx(12, rel=0.05)
    assert sae.lambda_1_ != pytest.approx(before, rel=0.1)
    assert not np.array_equal(sae.components_, atoms)


def test_a_target_that_is_missed_later():
    sae = quick(L1SAE, target_l0=20, transform_method="exact", dtype="float64", max_epochs=20)
    with pytest.warns(UserWarning, match="target_l0=20 was missed"):
        sae.fit(X)
    with pytest.warns(UserWarning, match=r"target_l0=20 was missed: [78]"):
        sae.match_l0(X)


def test_what_cannot_be_matched_is_refused():
    with pytest.raises(ValueError, match="match_l0 needs a fit with target_l0"):
        quick(L1SAE, transform_method="exact").fit(X).match_l0(X)
    with pytest.raises(ValueError, match="was None; 8, set since, waits for fit"):
        quick(L1SAE, transform_method="exact").fit(X).set_params(target_l0=8).match_l0(X)
    sae = quick(L1SAE, target_l0=3, refine_steps=1, debias=True).fit(X)
    with pytest.raises(
        ValueError, match=r"lambda_1 can make more: .* refine_steps >= 2; got 'encoder' and 1\."
    ):
        sae.match_l0(X)
    sae.set_params(transform_method="exact", refine_steps=0)
    with pytest.raises(ValueError, match="X is a stream"):
        sae.match_l0(iter([X]))
    with pytest.raises(NotFittedError):
        L1SAE(8, target_l0=3).match_l0(X)


def test_the_strength_of_solved_codes_is_kept(tmp_path):
    sae = quick(L1SAE, target_l0=3, transform_method="exact", max_epochs=20).fit(X)
    assert float(sae.net_.criterion_.control.log_coding) != 0
    sae.save(tmp_path / "sae")
    again = load(tmp_path / "sae")
    assert again.lambda_1_ == sae.lambda_1_
    np.testing.assert_array_equal(again.transform(X), sae.transform(X))
    # Files from before there was such a strength mean that of training.
    content = read_folder(tmp_path / "sae")
    del content["state"]["objective"]["control.log_coding"]
    write_folder(tmp_path / "old", content)
    old = load(tmp_path / "old")
    assert old.lambda_1_ == pytest.approx(float(sae.net_.criterion_.control.strength()))


def test_a_target_that_no_strength_meets():
    """Without a ridge, no more codes are needed than there are features."""
    sae = quick(L1SAE, 24, target_l0=20, transform_method="exact", max_epochs=20, dtype="float64")
    with pytest.warns(UserWarning, match=r"target_l0=20 was missed: [78]"):
        sae.fit(X)
    assert 7 < (sae.transform(X) > 0).sum(1).mean() <= 8


@pytest.mark.parametrize("lambda_1", [1e-8, 1e-4, 1.0, 1e4])
def test_however_far_training_has_left_the_strength(lambda_1):
    """After few steps it is next to where it began, and codes are dense, or there are none."""
    sae = quick(ElasticNetSAE, target_l0=3, lambda_1=lambda_1, dtype="float64", max_steps=20)
    sae.set_params(transform_method="exact").fit(X)
    found = (sae.transform(X) > 0).sum(1).mean()
    print(f"L0 {found:.2f}, lambda_1_ {sae.lambda_1_}, training {sae.history_['lambda_1'][-1]}")
    assert found == pytest.approx(3, rel=0.02)


@pytest.mark.parametrize("lambda_1", [1e-5, 10.0])
def test_far_from_the_target_few_rows_are_solved(lambda_1, rows, monkeypatch):
    """A strength that training left far too small has dense codes, at many times the seconds."""
    trials, count = [], _matching._try

    def counted(sae, rows):
        trial = count(sae, rows)
        trials.append((len(rows), abs(trial.error)))
        return trial

    monkeypatch.setattr(_matching, "_try", counted)
    params = {"max_steps": 20, "batch_size": 128, "random_state": 0, "transform_method": "exact"}
    L1SAE(64, target_l0=8, lambda_1=lambda_1, **params).fit(rows[0])
    few = [error for n_rows, error in trials if n_rows == _matching.FEW_ROWS]
    all_rows = [error for n_rows, error in trials if n_rows == _matching.MATCHED_ROWS]
    print("few", np.round(few, 2), "all", np.round(all_rows, 2))
    assert len(few) + len(all_rows) == len(trials)
    assert few[0] > 1
    assert max(all_rows) < 0.2
    assert all_rows[-1] < _matching.CLOSE


@pytest.mark.parametrize("n_rows", [200, 400, 600])
def test_what_cannot_be_halved_is_solved_once(n_rows, rows, monkeypatch):
    trials, count = [], _matching._try
    monkeypatch.setattr(_matching, "_try", lambda *args: (trials.append(args[1]), count(*args))[1])
    params = {"max_steps": 20, "batch_size": 128, "random_state": 0, "transform_method": "exact"}
    L1SAE(64, target_l0=8, **params).fit(rows[0][:n_rows])
    sizes = [len(one) for one in trials]
    assert sizes.count(n_rows) <= _matching.MOST_TRIALS
    assert {*sizes} == ({n_rows} if n_rows < 2 * _matching.FEW_ROWS else {300, n_rows})


def test_a_last_batch_of_one_row_is_no_miss(rows, recwarn):
    """Without a decay, the controller's own error is that of the last batch."""
    params = {"max_epochs": 40, "batch_size": 128, "lr_decay": 0, "learning_rate": 4e-3}
    for seed in range(3):
        sae = L1SAE(64, target_l0=8, random_state=seed, **params).fit(rows[0][:1_793])
        ratio = sae.net_.criterion_.control.ratio()
        print(f"last row {8 * ratio:.2f}, log {sae.history_['l0'][-1]:.2f}")
    assert not [w for w in recwarn if "was missed" in str(w.message)]


def test_training_that_goes_on_has_its_own_strength(rows):
    params = {"max_steps": 20, "batch_size": 64, "learning_rate": 4e-3, "random_state": 0}
    sae = L1SAE(64, target_l0=8, transform_method="exact", **params).fit(rows[0][:2_000])
    assert float(sae.net_.criterion_.control.log_coding) != 0
    sae.set_params(max_steps=None).partial_fit(rows[0][:2_000])
    assert sae.lambda_1_ == sae.history_["lambda_1"][-1]


def test_rows_in_an_order_are_drawn_at_random(rows):
    X = rows[0][:12_000] * np.linspace(0.2, 2, 12_000, dtype=np.float32)[:, None]
    seen = []
    params = {"max_steps": 100, "batch_size": 128, "learning_rate": 4e-3, "random_state": 0}
    sae = L1SAE(64, target_l0=8, transform_method="exact", decoder_refits=1, **params)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_exact, "match_l0", lambda sae, rows: seen.append(rows.norm(dim=1).mean()))
        sae.fit(X)
    expected = np.linalg.norm(X, axis=1).mean()
    assert len(seen) == 2
    np.testing.assert_allclose(seen, expected, rtol=0.05)


def test_an_interruption_leaves_the_best_strength_so_far(monkeypatch):
    sae = quick(L1SAE, target_l0=3, transform_method="exact", max_epochs=20, dtype="float64")
    trials, count = [], _matching._try

    def interrupted(*args):
        if len(trials) == 3:
            raise KeyboardInterrupt
        trials.append(count(*args))
        return trials[-1]

    monkeypatch.setattr(_matching, "_try", interrupted)
    with pytest.warns(TrainingInterruptedWarning):
        sae.fit(X)
    best = min(trials, key=lambda trial: abs(trial.error))
    assert float(sae.net_.criterion_.control.log_coding) == best.at
    assert (sae.transform(X) > 0).sum() / len(X) == pytest.approx(3 * best.ratio)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_without_anything_to_code_leave_the_strength(dtype):
    """Rounding would be coded by a penalty of next to nothing."""
    params = {"target_l0": 3, "transform_method": "exact", "max_epochs": 20, "dtype": dtype}
    sae = quick(L1SAE, **params).fit(X)
    before = sae.lambda_1_
    with pytest.warns(UserWarning, match="target_l0=3 was missed: 0 codes are active per row"):
        sae.match_l0(np.tile(sae.decoder_bias_, (20, 1)))
    assert sae.lambda_1_ == before
    with pytest.warns(UserWarning, match="target_l0=3 was missed: 0 codes"):
        same = quick(L1SAE, **params).fit(np.ones((50, 8)))
    assert same.lambda_1_ == same.history_["lambda_1"][-1] > 0


def test_rows_of_a_frame_are_solved_without_their_names():
    """What `fit` reads again on its way is its own affair."""
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    params = {"target_l0": 3, "transform_method": "exact", "decoder_refits": 1, "max_epochs": 20}
    sae = quick(L1SAE, **params, dtype="float64").set_output(transform="pandas")
    codes = sae.fit(frame).transform(frame)
    assert (codes > 0).sum(axis=1).mean() == pytest.approx(3, rel=0.05)


def test_a_stream_cannot_be_solved_again():
    for method, steps in (("exact", 0), ("encoder", 2)):
        sae = quick(L1SAE, target_l0=3, transform_method=method, refine_steps=steps, max_steps=4)
        message = (
            f"target_l0=3 with transform_method='{method}' and refine_steps={steps} reads rows"
        )
        with pytest.raises(ValueError, match=message):
            sae.fit(iter([X]))


def test_p_annealing_names_the_strength_of_its_last_step():
    sae = quick(PAnnealingSAE, target_l0=3, max_epochs=20).fit(X)
    scale = sae.net_.criterion_.terms["lp"].scale
    assert sae.lambda_p_ == pytest.approx(sae.lambda_1_ * float(scale), rel=0.1)


@pytest.mark.parametrize("cls", PENALISED)
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"target_l0": 0.5}, r"target_l0 must be a number >= 1 or None; got 0\.5"),
        ({"target_l0": 24}, "target_l0 must be less than the 24 components; got 24"),
        ({"target_l0": 3, "lambda_1": 0.0}, "target_l0=3 needs lambda_1 > 0"),
    ],
)
def test_bad_targets_are_refused(cls, params, message):
    with pytest.raises(ValueError, match=message):
        quick(cls, **params).fit(X)


@pytest.mark.parametrize("steps", [0, 1])
def test_thresholded_codes_of_the_encoder_would_miss(steps):
    sae = quick(L1SAE, target_l0=3, debias="thresholded", refine_steps=steps)
    message = f"target_l0=3 is met by codes of the encoder, .* got 'encoder' and {steps}"
    for learn in (sae.fit, sae.partial_fit, lambda X: fit_many([sae], X)):
        with pytest.raises(ValueError, match=message):
            learn(X)
    assert quick(L1SAE, debias="thresholded", refine_steps=steps).fit(X).transform(X).any()
    sae.set_params(refine_steps=2, max_epochs=20, dtype="float64").fit(X)
    assert (sae.transform(X) > 0).sum(1).mean() == pytest.approx(3, rel=0.05)


def test_double_precision():
    sae = quick(L1SAE, target_l0=3, dtype="float64").fit(X)
    assert sae.net_.criterion_.control.log_factor.dtype == torch.float64


def test_a_target_that_is_missed_is_not_passed_over():
    with pytest.warns(UserWarning, match=r"target_l0=3 was missed: .* after 2 steps. Train longer"):
        quick(L1SAE, target_l0=3, max_steps=2).fit(X)
    with pytest.warns(
        UserWarning, match="lambda_1 to settle: it began at 0.01, was between .* and"
    ):
        quick(L1SAE, target_l0=3, max_steps=2, lambda_1=0.01).fit(X)


def test_a_target_that_is_missed_by_far_is_missed_by_as_much_as_the_log_says():
    sae = L1SAE(128, target_l0=5, random_state=0)
    with pytest.warns(UserWarning) as caught:
        sae.fit(load_digits().data[:1400])
    (said,) = (str(w.message) for w in caught if "was missed" in str(w.message))
    # What the controller takes for a tenth of the target may be less.
    assert sae.history_["l0"][-1] < 0.4
    assert f"target_l0=5 was missed: {sae.history_['l0'][-1]:.3g} components" in said


def test_jumprelu_says_so_too():
    with pytest.warns(UserWarning, match=r"target_l0=2 was missed: .* after 2 steps. Train longer"):
        quick(JumpReLUSAE, target_l0=2, max_steps=2).fit(X)


@pytest.mark.parametrize("cls", [L1SAE, ElasticNetSAE])
def test_a_training_that_leaves_no_codes(cls):
    with pytest.warns(UserWarning, match="active: 0 per row .* with lambda_1=100.0.* too strong"):
        quick(cls, lambda_1=100.0, learning_rate=0.1, max_epochs=30).fit(X)


@pytest.mark.parametrize("target", [None, 3])
def test_a_warm_up_that_has_not_ended_counts(target):
    sae = quick(ElasticNetSAE, lambda_1=0.1, lambda_2=0.2, lambda_warmup=999, max_steps=9)
    sae.set_params(target_l0=target).fit(X)
    terms = sae.net_.criterion_.terms
    assert sae.lambda_1_ == pytest.approx(float(terms["l1"].weight), rel=0.2 if target else 1e-6)
    assert sae.lambda_2_ == pytest.approx(0.009 * 0.2)
    # Exact codes are the optimum for these strengths.
    gaps = kkt_residuals(sae.set_params(lambda_2=9.0), X, "exact")
    assert gaps.max() < 1e-3


def test_a_missed_target_says_that_a_callback_stopped_training():
    class Stop(Callback):
        def on_batch_begin(self, net, **kwargs):
            if net.n_steps_ == 3:
                raise KeyboardInterrupt

    with pytest.warns(UserWarning, match=r"after 3 steps of 12: a callback stopped it. Train long"):
        quick(L1SAE, target_l0=3, callbacks=[Stop()], lambda_1=1e-6).fit(X)
