"""What is saved is what is loaded, for every estimator."""

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import SAES, given, make_data, quick
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from skorch.callbacks import EpochTimer

from sklearn_aensae import L1SAE, TopKSAE, load
from sklearn_aensae.exceptions import LoadError
from sklearn_aensae.io._folder import read_folder, write_folder

X = make_data()
ONLY_TIMES = {"rows_per_second"}


def assert_same_attributes(sae, again):
    """All that fit has written, but the net."""
    names = {name for name in vars(sae) if name.endswith("_") and name != "net_"}
    assert names == {name for name in vars(again) if name.endswith("_") and name != "net_"}
    for name in names:
        value, other = getattr(sae, name), getattr(again, name)
        assert type(value) is type(other), name
        np.testing.assert_equal(value, other, err_msg=name)
        assert getattr(value, "dtype", None) == getattr(other, "dtype", None)


def edit(path, change):
    document = json.loads((path / "sae.json").read_text())
    change(document)
    (path / "sae.json").write_text(json.dumps(document))


@pytest.mark.parametrize("cls", SAES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_round_trip(cls, dtype, tmp_path):
    sae = quick(cls, dtype=dtype, input_scaling="sample_norm", dead_window=40).fit(*given(cls, X))
    sae.save(tmp_path / "sae")
    again = load(tmp_path / "sae", device="cpu")
    assert type(again) is cls
    assert again.get_params() == sae.get_params() | {"device": "cpu", "callbacks": ()}
    np.testing.assert_array_equal(again.transform(X), sae.transform(X))
    np.testing.assert_array_equal(
        again.inverse_transform(again.transform(X)), sae.inverse_transform(sae.transform(X))
    )
    assert_same_attributes(sae, again)


@pytest.mark.parametrize("cls", SAES)
def test_training_goes_on_alike(cls, tmp_path):
    sae = quick(cls, max_steps=30, dead_window=40)
    sae.partial_fit(*given(cls, X)).partial_fit(*given(cls, X))
    sae.save(tmp_path / "sae")
    again = load(tmp_path / "sae")
    for estimator in (sae, again):
        estimator.partial_fit(*given(cls, X)).partial_fit(*given(cls, X))
    np.testing.assert_array_equal(again.transform(X), sae.transform(X))
    for name in set(sae.history_) - ONLY_TIMES:
        assert again.history_[name] == sae.history_[name]
    for estimator in (sae, again):
        for name in ONLY_TIMES:
            del estimator.history_[name]
    assert_same_attributes(sae, again)
    assert again.net_.best_losses_ == sae.net_.best_losses_


def test_without_the_optimizer_files_are_a_third(tmp_path):
    sae = quick(TopKSAE, 200, k=4).fit(make_data(n_features=30))
    sae.save(tmp_path / "all")
    sae.save(tmp_path / "weights", optimizer=False)
    sizes = [(tmp_path / name / "sae.safetensors").stat().st_size for name in ("all", "weights")]
    assert 2.3 < sizes[0] / sizes[1] < 3
    again = load(tmp_path / "weights").partial_fit(make_data(n_features=30))
    assert again.n_steps_ == sae.n_steps_ + 4


def test_the_net_keeps_the_parameters_it_was_trained_with(tmp_path):
    sae = quick(TopKSAE, k=4).fit(X).set_params(k=1, learning_rate=0.5, max_epochs=7)
    sae.save(tmp_path / "sae")
    again = load(tmp_path / "sae")
    assert (again.k, again.learning_rate, again.max_epochs) == (1, 0.5, 7)
    np.testing.assert_array_equal(again.transform(X), sae.transform(X))
    for estimator in (sae, again):
        estimator.partial_fit(X)
    np.testing.assert_array_equal(again.components_, sae.components_)


@pytest.mark.parametrize(
    "optimizer", ["sgd", torch.optim.Adagrad, partial(torch.optim.SGD, momentum=0.9)]
)
def test_optimizers(optimizer, tmp_path):
    sae = quick(L1SAE, optimizer=optimizer, random_state=np.random.RandomState(3)).fit(X)
    sae.save(tmp_path / "sae")
    again = load(tmp_path / "sae")
    for estimator in (sae, again):
        estimator.partial_fit(X)
    np.testing.assert_array_equal(again.components_, sae.components_)
    # The random state goes on, too.
    np.testing.assert_array_equal(again.fit(X).components_, sae.fit(X).components_)


def test_an_optimizer_that_is_code_is_refused_and_there_is_a_way_out(tmp_path):
    sae = quick(L1SAE, optimizer=lambda p, lr: torch.optim.SGD(p, lr=lr)).fit(X)
    with pytest.raises(TypeError, match="optimizer=<function .* cannot be saved"):
        sae.save(tmp_path / "sae")
    assert not (tmp_path / "sae").exists()
    sae.set_params(optimizer="adam").save(tmp_path / "sae", optimizer=False)
    np.testing.assert_array_equal(load(tmp_path / "sae").transform(X), sae.transform(X))


def test_callbacks_are_not_saved_and_it_is_said(tmp_path):
    sae = quick(L1SAE, callbacks=[EpochTimer()]).fit(X)
    with pytest.warns(UserWarning, match=r"Saved without callbacks \(EpochTimer\)") as record:
        sae.save(tmp_path / "sae")
    assert record[0].filename == __file__
    assert load(tmp_path / "sae").callbacks == ()


def test_numpy_scalars_as_parameters(tmp_path):
    sae = quick(L1SAE, n_components=np.int64(9), lambda_1=np.float32(0.5), shuffle=np.bool_(False))
    sae.fit(X).save(tmp_path / "sae")
    assert load(tmp_path / "sae").get_params()["n_components"] == 9


def test_feature_names(tmp_path):
    frame = pd.DataFrame(X, columns=[f"neuron {i}" for i in range(X.shape[1])])
    sae = quick(L1SAE).fit(frame)
    sae.save(tmp_path / "sae")
    again = load(tmp_path / "sae")
    np.testing.assert_array_equal(again.feature_names_in_, sae.feature_names_in_)
    np.testing.assert_array_equal(again.transform(frame), sae.transform(frame))


def test_losses_that_are_not_finite_are_kept(tmp_path):
    sae = quick(L1SAE).fit(np.ones((10, 3)))
    assert np.isnan(sae.history_["explained_variance"]).all()
    sae.save(tmp_path / "sae")
    np.testing.assert_equal(load(tmp_path / "sae").history_, sae.history_)


def test_saving_again_replaces(tmp_path):
    sae = quick(L1SAE).fit(X)
    sae.save(tmp_path / "sae")
    sae.partial_fit(X).save(tmp_path / "sae")
    assert load(tmp_path / "sae").n_steps_ == sae.n_steps_
    quick(TopKSAE).fit(X).save(str(tmp_path / "sae"))
    assert isinstance(load(str(tmp_path / "sae")), TopKSAE)


def test_nothing_to_save(tmp_path):
    with pytest.raises(NotFittedError):
        L1SAE().save(tmp_path / "sae")


def test_a_device_may_be_torchs(tmp_path):
    sae = quick(L1SAE, device=torch.device("cpu")).fit(X)
    assert clone(sae).device == torch.device("cpu")
    sae.save(tmp_path / "sae")
    again = load(tmp_path / "sae", device=torch.device("cpu"))
    assert again.net_.device == "cpu"
    assert read_folder(tmp_path / "sae")["parameters"]["device"] == "cpu"
    np.testing.assert_array_equal(again.transform(X), sae.transform(X))
    again.partial_fit(X)


def test_what_was_trained_on_cuda_loads_without(tmp_path):
    sae = quick(L1SAE).fit(X)
    sae.save(tmp_path / "sae")
    edit(tmp_path / "sae", lambda d: d["parameters"].update(device="cuda:1"))
    again = load(tmp_path / "sae", device="cpu")
    assert again.device == again.net_.device == "cpu"
    np.testing.assert_array_equal(again.transform(X), sae.transform(X))
    again.partial_fit(X)
    again.fit(X)
    with pytest.raises(ValueError, match="device='nowhere' cannot be used here"):
        load(tmp_path / "sae", device="nowhere")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update({"class": "os.system"}), r"unknown class 'os\.system'; known are"),
        (lambda d: d.update({"class": ["x"]}), "unhashable"),
        (lambda d: d["parameters"].update(k=0), "k must be an integer >= 1; got 0"),
        (lambda d: d["parameters"].update(kk=1), "unexpected keyword argument 'kk'"),
        (lambda d: d["plan"].pop("variance"), "missing .* argument: 'variance'"),
        (lambda d: d["plan"].update(n_components=25), r"module\.\S+ has shape.*expected \(\(25,"),
        (lambda d: d["plan"].update(n_features=9), r"module\.\S+ has shape and type"),
        (lambda d: d["parameters"].update(dtype="float64"), r"expected .*torch\.float64"),
        (lambda d: d.update(n_steps=None), "NoneType"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, change, message):
    quick(TopKSAE).fit(X).save(tmp_path / "sae")
    edit(tmp_path / "sae", change)
    with pytest.raises(LoadError, match=rf"sae\.json cannot be loaded: .*{message}"):
        load(tmp_path / "sae")


@pytest.mark.parametrize("entry", ["class", "parameters", "plan", "state", "epochs", "seed"])
def test_missing_entries_are_named(tmp_path, entry):
    sae = quick(TopKSAE).fit(X)
    sae.save(tmp_path / "sae")
    content = read_folder(tmp_path / "sae")
    del content[entry]
    write_folder(tmp_path / "sae", content)
    with pytest.raises(LoadError, match=rf"sae\.json misses the entry '{entry}'"):
        load(tmp_path / "sae")


@pytest.mark.parametrize("part", ["module", "objective", "optimizer"])
def test_states_that_do_not_fit_are_refused(tmp_path, part, monkeypatch):
    sae = quick(TopKSAE).fit(X)
    owner = {"module": sae.net_.module_, "objective": sae.net_.criterion_}.get(part)
    if owner is None:
        state = sae.net_.optimizer_.state_dict()
        state["state"][0]["exp_avg"] = torch.zeros(2)
        owner, message = sae.net_.optimizer_, r"optimizer\.state\.0\.exp_avg has shape"
    else:
        state = owner.state_dict()
        missing = state.popitem()[0]
        state["foreign"] = torch.zeros(1)
        message = rf"the {part} misses \['{missing}'\] and does not know \['foreign'\]"
    monkeypatch.setattr(owner, "state_dict", lambda: state)
    sae.save(tmp_path / "sae")
    with pytest.raises(LoadError, match=message):
        load(tmp_path / "sae")
