"""A fit that was killed and resumed is the fit that was not, bit for bit."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import SAES, Crash, CrashAt, dies_in_step, given, make_data, quick, state_of
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, EarlyStopping, LRScheduler

from sklearn_aensae import L1SAE, AdaptiveElasticNetSAE, TopKSAE, load
from sklearn_aensae.exceptions import (
    CheckpointWarning,
    InvalidParameterError,
    LoadError,
    TrainingInterruptedWarning,
)
from sklearn_aensae.io._encoding import encode
from sklearn_aensae.io._folder import read_folder

X = make_data()
# 108 rows are trained on, in 4 batches per epoch: 12 steps.
PARAMS = {"max_epochs": 3, "validation_fraction": 0.1, "log_interval": 5, "dead_window": 40}


def make(cls, folder=None, **params):
    files = {} if folder is None else {"checkpoint_dir": folder, "checkpoint_interval": 1}
    return quick(cls, **(PARAMS | files | params))


def kill(sae, step):
    with dies_in_step(step):
        sae.fit(*given(sae, X))


@pytest.mark.parametrize("cls", SAES)
def test_resuming_changes_nothing(cls, tmp_path):
    # Killed in the middle of an epoch and of a log interval, at the end of either, and twice in
    # the same place.
    for step in (1, 3, 5, 6, 6, 9, 12):
        kill(make(cls, tmp_path), step)
    resumed, whole = make(cls, tmp_path).fit(*given(cls, X)), make(cls).fit(*given(cls, X))
    assert whole.n_steps_ == 12
    assert state_of(resumed) == state_of(whole)
    np.testing.assert_array_equal(resumed.transform(X), whole.transform(X))
    assert resumed.net_.best_losses_ == whole.net_.best_losses_
    # Training goes on alike, too.
    for sae in (resumed, whole):
        sae.set_params(checkpoint_dir=None).partial_fit(*given(cls, X))
    assert state_of(resumed) == state_of(whole)


@pytest.mark.parametrize(
    "params",
    [
        {"max_steps": 7},
        {"shuffle": False, "validation_fraction": 0.0},
        {"checkpoint_interval": 3},
        {"checkpoint_interval": 0.5},
        {"optimizer": torch.optim.SGD, "dtype": "float64"},
        {"batch_size": 1000, "max_epochs": 9},
    ],
)
def test_resuming_under_other_settings(params, tmp_path):
    kill(make(TopKSAE, tmp_path, **params), 6)
    resumed, whole = make(TopKSAE, tmp_path, **params).fit(X), make(TopKSAE, **params).fit(X)
    assert state_of(resumed) == state_of(whole)


@pytest.mark.parametrize("number", range(0, 60, 3))
def test_a_crash_while_writing(number, tmp_path):
    sae = make(L1SAE, tmp_path, validation_fraction=0.0)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Crash):
        CrashAt(patch, number)
        sae.fit(X)
    resumed = make(L1SAE, tmp_path, validation_fraction=0.0).fit(X)
    assert state_of(resumed) == state_of(make(L1SAE, validation_fraction=0.0).fit(X))
    assert len(list(tmp_path.iterdir())) == 2


def plain_content(folder):
    content, tensors = read_folder(folder), {}
    del content["parameters"], content["history"]["rows_per_second"]
    return encode(content, tensors, ""), {k: v.numpy().tobytes() for k, v in tensors.items()}


@pytest.mark.parametrize("name", ["AdaptiveElasticNetSAE", "TopKSAE"])
def test_killed_at_random_times(name, tmp_path):
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, here / "checkpoint_killer.py", name, tmp_path, "0"],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout)
    assert report["kills"] == {"by time": 20, "while writing": 10}
    assert len(set(report["steps"])) > 10
    reference = plain_content(tmp_path / "reference")
    if name == "TopKSAE":
        # AuxK was at work, so its state has been tested, too.
        assert max(reference[0]["history"]["auxk"]) > 0
    for i in range(report["rounds"]):
        assert plain_content(tmp_path / f"resumed-{i}") == reference


class PressCtrlC(Callback):
    """Sends the signal in a batch, of training or of validation."""

    def __init__(self, count, validation):
        self.count = count
        self.validation = validation

    def on_train_begin(self, net, **kwargs):
        self.left_ = self.count

    def on_batch_end(self, net, training=False, **kwargs):
        if training != self.validation:
            self.left_ -= 1
            if self.left_ == 0:
                signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(("count", "validation"), [(3, False), (4, False), (2, True)])
def test_ctrl_c_leaves_a_checkpoint(count, validation, tmp_path):
    def fit(folder):
        callbacks = [PressCtrlC(count, validation)]
        return make(TopKSAE, folder, checkpoint_interval=100, callbacks=callbacks).fit(X)

    with pytest.warns(TrainingInterruptedWarning):
        stopped = fit(tmp_path)
    steps = 8 if validation else count
    assert stopped.n_steps_ == steps
    assert max(p.name for p in tmp_path.iterdir()) == f"step-{steps:010d}"
    assert state_of(fit(tmp_path)) == state_of(make(TopKSAE).fit(X))


def test_a_finished_fit_is_loaded_and_not_repeated(tmp_path, monkeypatch):
    first = make(L1SAE, tmp_path).fit(X)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["step-0000000012", "step-0000000012-finished"]
    monkeypatch.setattr("sklearn_aensae.estimators._fitting.begin", None)
    monkeypatch.setattr("sklearn_aensae.estimators._fitting._train", None)
    again = make(L1SAE, tmp_path).fit(X)
    assert state_of(again) == state_of(first)
    np.testing.assert_array_equal(again.transform(X), first.transform(X))
    assert sorted(p.name for p in tmp_path.iterdir()) == names


def test_the_seed_that_was_drawn_is_kept(tmp_path):
    kill(make(L1SAE, tmp_path, random_state=None), 5)
    seed = read_folder(tmp_path / "step-0000000004")["seed"]
    resumed = make(L1SAE, tmp_path, random_state=None).fit(X)
    assert resumed._seed == seed
    whole = make(L1SAE, random_state=FixedSeed(seed)).fit(X)
    assert state_of(resumed) == state_of(whole)


class FixedSeed(np.random.RandomState):
    """Draws the same seed always."""

    def __init__(self, seed):
        super().__init__(0)
        self.seed_ = seed

    def randint(self, *args):
        return self.seed_


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"lambda_1": 0.5}, r"lambda_1 was 0\.005 there and is 0\.5 here"),
        ({"log_interval": 1.0}, r"log_interval was 5 there and is 1\.0 here"),
        ({"random_state": 1}, "seed of random_state was"),
        ({"callbacks": [EarlyStopping()]}, r"callbacks was \[\] there and is \['EarlyStopping"),
        ({"max_epochs": 4, "batch_size": 31}, "batch_size was 32 .*; max_epochs was 3"),
    ],
)
def test_other_parameters_are_refused_by_name(params, message, tmp_path):
    kill(make(L1SAE, tmp_path), 5)
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(ValueError, match=rf"checkpoints of another fit: .*{message}"):
        make(L1SAE, tmp_path, **params).fit(X)
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_another_class_or_other_data_are_refused_by_name(tmp_path):
    kill(make(L1SAE, tmp_path), 5)
    with pytest.raises(ValueError, match=r"class was 'sklearn_aensae\.L1SAE' there"):
        make(TopKSAE, tmp_path).fit(X)
    with pytest.raises(ValueError, match=r"shape of X was \[120, 8\] there and is \[119, 8\]"):
        make(L1SAE, tmp_path).fit(X[:-1])
    with pytest.raises(ValueError, match="fingerprint of X was"):
        make(L1SAE, tmp_path).fit(X + 1e-3)


def test_parameters_that_do_not_matter_may_change(tmp_path):
    kill(make(L1SAE, tmp_path), 5)
    changed = make(L1SAE, str(tmp_path), checkpoint_interval=0.3, sparse_output=True, device="cpu")
    assert state_of(changed.fit(X)) == state_of(make(L1SAE).fit(X))


@pytest.mark.filterwarnings("ignore:target_l0=3 was missed")
@pytest.mark.parametrize("ends_with", [{"decoder_refits": 1}, {"target_l0": 3}])
def test_how_codes_are_found_matters_where_fit_ends_with_them(ends_with, tmp_path):
    make(L1SAE, tmp_path / "free").fit(X)
    make(L1SAE, tmp_path / "free", transform_method="exact").fit(X)
    make(L1SAE, tmp_path / "not", **ends_with).fit(X)
    with pytest.raises(ValueError, match="transform_method was 'encoder' there and is 'exact'"):
        make(L1SAE, tmp_path / "not", transform_method="exact", **ends_with).fit(X)


def test_grid_search_in_one_folder_is_refused_and_without_works(tmp_path):
    grid = {"lambda_1": [0.01, 0.1]}
    search = GridSearchCV(make(L1SAE, tmp_path), grid, cv=2, error_score="raise")
    with pytest.raises(ValueError, match="checkpoints of another fit"):
        search.fit(X)
    assert clone(search).set_params(estimator__checkpoint_dir=None).fit(X).best_score_ < 1


def truncate(path):
    path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: truncate(folder / "sae.safetensors"), r"sae\.safetensors is damaged"),
        (lambda folder: truncate(folder / "sae.json"), r"sae\.json is damaged"),
        (lambda folder: (folder / "sae.safetensors").unlink(), r"sae\.safetensors is missing"),
        (lambda folder: (folder / "sae.json").unlink(), r"sae\.json is missing"),
        (lambda folder: (folder / "sae.json").write_text("{}"), "not written by sklearn_aensae"),
        (lambda folder: make(L1SAE).fit(X).save(folder), "saved estimator and no checkpoint"),
    ],
)
def test_of_a_damaged_checkpoint_the_one_before_is_used(damage, reason, tmp_path):
    kill(make(L1SAE, tmp_path), 6)
    damage(tmp_path / "step-0000000005")
    with pytest.warns(CheckpointWarning, match=f"step-0000000004.*cannot be used: .*{reason}") as w:
        resumed = make(L1SAE, tmp_path).fit(X)
    assert w[0].filename == __file__
    assert state_of(resumed) == state_of(make(L1SAE).fit(X))
    assert len(list(tmp_path.iterdir())) == 2


def test_if_none_is_good_that_is_an_error(tmp_path):
    kill(make(L1SAE, tmp_path), 6)
    for folder in tmp_path.iterdir():
        truncate(folder / "sae.json")
    with pytest.raises(LoadError, match=r"no checkpoint in .* can be used: .*Delete the folder"):
        make(L1SAE, tmp_path).fit(X)


def test_what_killed_runs_leave_is_cleared_and_other_files_are_not(tmp_path):
    kill(make(L1SAE, tmp_path), 6)
    (tmp_path / ".tmp-step-0000000006").mkdir()
    (tmp_path / ".tmp-step-0000000006" / "sae.safetensors.new").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("mine")
    make(L1SAE, tmp_path).fit(X)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "notes.txt",
        "step-0000000012",
        "step-0000000012-finished",
    ]


class Intruder(Callback):
    """Another fit that writes to the same folder."""

    def __init__(self, folder):
        self.folder = folder

    def on_epoch_end(self, net, **kwargs):
        (Path(self.folder) / "step-0000000099").mkdir(parents=True)


def test_two_fits_at_once_are_noticed(tmp_path):
    with pytest.raises(RuntimeError, match="another fit writes to checkpoint_dir="):
        make(L1SAE, tmp_path, callbacks=[Intruder(str(tmp_path))]).fit(X)


@pytest.mark.parametrize("load_best", [False, True])
def test_early_stopping_goes_on_counting(load_best, tmp_path):
    def fit(folder):
        # An improvement that nobody makes: stops after three epochs without.
        stop = EarlyStopping(patience=3, threshold=0.9, load_best=load_best, sink=lambda _: None)
        return make(L1SAE, folder, max_epochs=20, callbacks=[stop]).fit(X)

    whole = fit(None)
    assert 3 <= whole.n_iter_ < 20
    with dies_in_step(10):
        fit(tmp_path)
    assert state_of(fit(tmp_path)) == state_of(whole)
    assert state_of(fit(tmp_path)) == state_of(whole)


def test_callbacks_whose_state_is_no_data_are_refused_at_once(tmp_path):
    params = {"lr_warmup": 0, "lr_decay": 0, "callbacks": [LRScheduler("StepLR", step_size=1)]}
    with pytest.raises(TypeError, match=r"checkpoint_dir .*\(LRScheduler\): .*cannot be saved"):
        make(L1SAE, tmp_path, **params).fit(X)
    assert not list(tmp_path.glob("step-*"))


def test_what_does_not_go_with_checkpoints_is_refused(tmp_path):
    with pytest.raises(ValueError, match="warm_start=True cannot be used with checkpoint_dir"):
        make(L1SAE, tmp_path, warm_start=True).fit(X)
    with pytest.raises(ValueError, match="checkpoint_dir=.* is of no use to partial_fit"):
        make(L1SAE, tmp_path).partial_fit(X)
    with pytest.raises(TypeError, match="optimizer=.* cannot be saved"):
        make(L1SAE, tmp_path, optimizer=lambda p, lr: torch.optim.SGD(p, lr=lr)).fit(X)
    for name, bad in (
        ("checkpoint_dir", 3),
        ("checkpoint_dir", ""),
        ("checkpoint_interval", 0),
        ("checkpoint_interval", 1.5),
    ):
        with pytest.raises(InvalidParameterError, match=name):
            make(L1SAE, tmp_path, **{name: bad}).fit(X)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_is_a_saved_estimator(tmp_path):
    kill(make(AdaptiveElasticNetSAE, tmp_path), 6)
    sae = load(tmp_path / "step-0000000005")
    assert sae.n_steps_ == 5
    assert sae.transform(X).shape == (120, 24)
    sae.set_params(checkpoint_dir=None).partial_fit(X)


def test_weights_that_are_not_finite_are_not_written(tmp_path):
    sae = make(L1SAE, tmp_path, learning_rate=1e30, lr_warmup=0, log_interval=100, optimizer="sgd")
    with pytest.raises(ArithmeticError, match="NaN or infinite"):
        sae.fit(X)
    for folder in tmp_path.iterdir():
        state = read_folder(folder)["state"]["module"]
        assert all(torch.isfinite(t).all() for t in state.values() if isinstance(t, torch.Tensor))


def test_the_data_need_not_be_an_array(tmp_path):
    kill(make(L1SAE, tmp_path), 6)
    assert state_of(make(L1SAE, tmp_path).fit(torch.tensor(X))) == state_of(make(L1SAE).fit(X))


def test_a_checkpoint_of_other_code_is_refused(tmp_path, monkeypatch):
    kill(make(TopKSAE, tmp_path), 6)
    monkeypatch.setattr(TopKSAE, "_make_dead_features", lambda self, plan: {})
    with pytest.raises(
        LoadError, match=r"does not fit this version .* does not know \['terms\.auxk"
    ):
        make(TopKSAE, tmp_path).fit(X)
