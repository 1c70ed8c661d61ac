"""What every estimator of the library promises beyond scikit-learn's checks."""

import pickle
from io import BytesIO

import joblib
import numpy as np
import pytest
import torch
from helpers import SAES, codes_if_active, given, make_data, quick, row_units
from scipy import sparse
from sklearn.base import clone
from skorch.callbacks import Callback

from sklearn_aensae.estimators import _build, _coding, _fitting
from sklearn_aensae.metrics import explained_variance

pytestmark = pytest.mark.parametrize("cls", SAES)
X = make_data()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("input_scaling", [None, "mean_norm", "sample_norm"])
def test_transform_is_row_independent(cls, dtype, input_scaling):
    sae = quick(cls, dtype=dtype, input_scaling=input_scaling).fit(*given(cls, X))
    together = sae.transform(X)
    one_by_one = np.vstack([sae.transform(row[None]) for row in X[:24]])
    np.testing.assert_allclose(
        together[:24], one_by_one, atol=1e-5 if dtype == "float32" else 1e-12
    )
    assert sae.n_components_ > 1
    assert 0 < (together > 0).mean() < 1


def test_rows_of_zeros_have_no_scale_of_their_own(cls):
    """With a scale per row they have no codes, and no output but where that is a target."""
    sae = quick(cls, input_scaling="sample_norm").fit(*given(cls, X))
    small = X[:1] * np.array([[1], [1e-4], [1e-8], [0]])
    codes, made = sae.transform(small), sae.reconstruct(small)
    if sae._plan.n_targets:
        assert np.abs(made[2:]).min() > 0
        return
    assert not codes[2:].any()
    assert not made[2:].any()
    np.testing.assert_allclose(codes[1], 1e-4 * codes[0], rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(made[1], 1e-4 * made[0], rtol=1e-3, atol=1e-9)
    assert not sae.set_params(sparse_output=True).transform(small)[2:].nnz


def test_transform_does_not_depend_on_the_chunk_size(cls, monkeypatch):
    sae = quick(cls).fit(*given(cls, X))
    whole, score, decoded = sae.transform(X), sae.score(*given(cls, X)), sae.reconstruct(X)
    monkeypatch.setattr(_coding, "LEAST_ROWS", 1)
    for rows in (1, 7, 119):
        monkeypatch.setattr(_coding, "CHUNK_BYTES", rows * 4 * 24)
        np.testing.assert_allclose(sae.transform(X), whole, atol=1e-5)
        np.testing.assert_allclose(sae.reconstruct(X), decoded, atol=1e-5)
        assert sae.score(*given(cls, X)) == pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize("sparse_output", [False, True])
def test_asked_features_are_columns_of_all(cls, sparse_output):
    sae = quick(cls, sparse_output=sparse_output).fit(*given(cls, X))
    whole = sae.transform(X)
    asked = [7, 2, 23, 11]
    some = sae.transform(X, features=asked)
    mask = np.isin(np.arange(24), asked)
    masked = sae.transform(X, features=mask)
    if sparse_output:
        assert some.has_sorted_indices
        whole, some, masked = whole.toarray(), some.toarray(), masked.toarray()
    np.testing.assert_allclose(some, whole[:, asked], atol=1e-6)
    np.testing.assert_allclose(masked, whole[:, mask], atol=1e-6)
    tensor = sae.set_params(sparse_output=False).transform(torch.tensor(X), features=asked)
    np.testing.assert_allclose(tensor, whole[:, asked], atol=1e-6)


@pytest.mark.parametrize("bad", [[], [24], [-1], [1, 1], [0.5], [[1, 2]], [True, False]])
def test_bad_features_are_refused(cls, bad):
    sae = quick(cls).fit(*given(cls, X))
    with pytest.raises(ValueError, match=r"features must hold .* \[0, 23\]"):
        sae.transform(X, features=bad)
    with pytest.raises(ValueError, match="set_output"):
        sae.set_output(transform="pandas").transform(X, features=[1])


@pytest.mark.parametrize("precision", ["high", "medium"])
def test_matmul_precision_is_local_and_near(cls, precision):
    before = torch.get_float32_matmul_precision()
    exact, near = (
        quick(cls, matmul_precision=name).fit(*given(cls, X)) for name in ("highest", precision)
    )
    assert torch.get_float32_matmul_precision() == before
    scores = [sae.score(*given(cls, X)) for sae in (near, exact)]
    assert scores[0] == pytest.approx(scores[1], abs=0.02)
    codes = near.transform(X)
    active = codes > 0
    # What is active was computed in single precision, whoever chose it.
    exact_codes = codes_if_active(near, X)
    np.testing.assert_allclose(codes[active], exact_codes[active], rtol=1e-3, atol=1e-4)


def test_same_seed_same_weights(cls):
    first, second, other = (quick(cls, random_state=seed).fit(*given(cls, X)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.components_, second.components_)
    np.testing.assert_array_equal(first.transform(X), second.transform(X))
    assert not np.allclose(first.components_, other.components_)


def test_fit_leaves_the_global_random_state_alone(cls):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    quick(cls).fit(*given(cls, X))
    assert torch.rand(1) == expected


@pytest.mark.parametrize("copy", ["pickle", "joblib"])
def test_round_trip(cls, copy, tmp_path):
    sae = quick(cls).fit(*given(cls, X))
    if copy == "pickle":
        again = pickle.loads(pickle.dumps(sae))
    else:
        joblib.dump(sae, tmp_path / "sae.joblib")
        again = joblib.load(tmp_path / "sae.joblib")
    np.testing.assert_array_equal(sae.transform(X), again.transform(X))
    # Training goes on alike, too: optimiser, averages and order of rows came along.
    sae.partial_fit(*given(cls, X))
    again.partial_fit(*given(cls, X))
    np.testing.assert_array_equal(sae.components_, again.components_)
    assert sae.history_["loss"] == again.history_["loss"]


def test_clone_is_unfitted_and_fits_alike(cls):
    sae = quick(cls).fit(*given(cls, X))
    again = clone(sae)
    assert not hasattr(again, "components_")
    np.testing.assert_array_equal(sae.components_, again.fit(*given(cls, X)).components_)


def test_no_tensor_outside_the_net(cls):
    """What is not in `net_` must load without the device it was trained on."""
    sae = quick(cls).fit(*given(cls, X))
    state = {k: v for k, v in vars(sae).items() if k != "net_"}

    class Refuse(pickle.Pickler):
        def persistent_id(self, obj):
            assert not isinstance(obj, torch.Tensor), obj
            return

    Refuse(BytesIO()).dump(state)
    net_state = sae.net_.__getstate__()
    Refuse(BytesIO()).dump({k: v for k, v in net_state.items()})


@pytest.mark.filterwarnings("ignore::skorch.exceptions.DeviceWarning")
def test_pickle_made_with_cuda_loads_without(cls, monkeypatch):
    sae = quick(cls).fit(*given(cls, X))
    expected = sae.transform(X)
    sae.net_.device = "cuda"
    with monkeypatch.context() as patch:
        patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        saved = pickle.dumps(sae)
    assert b"cuda:0" in saved
    again = pickle.loads(saved)
    assert again.net_.device == "cpu"
    np.testing.assert_array_equal(again.transform(X), expected)
    again.partial_fit(*given(cls, X))


def test_csr_equals_dense(cls):
    sae = quick(cls).fit(*given(cls, X))
    dense = sae.transform(X)
    codes = sae.set_params(sparse_output=True).transform(X)
    assert sparse.issparse(codes)
    assert codes.format == "csr"
    assert codes.dtype == X.dtype
    assert codes.has_sorted_indices
    assert codes.indices.dtype == codes.indptr.dtype == np.int32
    np.testing.assert_array_equal(codes.toarray(), dense)
    assert codes.nnz == (dense > 0).sum()
    np.testing.assert_allclose(
        sae.inverse_transform(codes), sae.inverse_transform(dense), atol=1e-6
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_tensor_in_is_array_in(cls, dtype):
    tensor = torch.tensor(X).to(dtype)
    tensors = given(cls, tensor)
    arrays = [part.double().numpy() for part in tensors]
    array = arrays[0]
    by_tensor, by_array = quick(cls).fit(*tensors), quick(cls).fit(*arrays)
    np.testing.assert_allclose(by_tensor.components_, by_array.components_, atol=1e-6)
    codes = by_tensor.transform(tensor)
    assert isinstance(codes, torch.Tensor)
    assert codes.dtype == dtype
    tolerance = {torch.float16: 2e-2, torch.bfloat16: 1e-1}.get(dtype, 1e-5)
    np.testing.assert_allclose(codes.double(), by_array.transform(array), atol=tolerance)
    back = by_tensor.inverse_transform(codes)
    assert isinstance(back, torch.Tensor)
    assert back.dtype == dtype


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool])
def test_codes_that_are_no_floats(cls, dtype):
    sae = quick(cls).fit(*given(cls, X))
    codes = torch.tensor(np.eye(3, sae.n_components_)).to(dtype)
    expected = sae.inverse_transform(codes.double())
    assert sae.inverse_transform(codes).dtype == torch.float64
    np.testing.assert_array_equal(sae.inverse_transform(codes), expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_output_dtype_follows_input(cls, dtype):
    data = X.astype(dtype)
    sae = quick(cls).fit(*given(cls, data))
    codes = sae.transform(data)
    assert codes.dtype == dtype
    assert sae.inverse_transform(codes).dtype == dtype
    assert sae.reconstruct(data).dtype == dtype


def test_read_only_memmap(cls, tmp_path):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    sae = quick(cls).fit(*given(cls, mapped))
    np.testing.assert_array_equal(sae.components_, quick(cls).fit(*given(cls, X)).components_)
    np.testing.assert_array_equal(sae.transform(mapped), sae.transform(X))


def test_fit_neither_changes_nor_copies_the_data(cls):
    data = np.asfortranarray(X)
    before = data.copy()
    quick(cls).fit(*given(cls, data))
    np.testing.assert_array_equal(data, before)


@pytest.mark.parametrize("input_scaling", [None, "mean_norm", "sample_norm"])
def test_fitted_attributes_are_in_the_units_of_the_input(cls, input_scaling):
    """Codes follow from the attributes alone, and X from codes and components."""
    sae = quick(cls, input_scaling=input_scaling, dtype="float64").fit(*given(cls, X))
    codes = sae.transform(X)
    unit = 1.0
    if input_scaling == "sample_norm":
        unit = row_units(sae, X)
    bias = unit * sae.decoder_bias_
    active = codes > 0
    expected = codes_if_active(sae, X, unit)
    np.testing.assert_allclose(codes[active], expected[active], rtol=1e-8)
    decoder = sae.net_.module_.decoder
    if decoder.is_linear:
        np.testing.assert_allclose(codes @ sae.components_ + bias, sae.reconstruct(X), atol=1e-8)
    if decoder.has_unit_atoms or decoder.folds_norms:
        np.testing.assert_allclose(np.linalg.norm(sae.components_, axis=1), 1, rtol=1e-12)
    if input_scaling != "sample_norm":
        np.testing.assert_allclose(sae.inverse_transform(codes), sae.reconstruct(X), atol=1e-8)


def test_scaling_makes_the_units_of_the_data_irrelevant(cls):
    """The same data in other units give the same model in those units."""
    one, thousand = (quick(cls, dtype="float64").fit(*given(cls, X * unit)) for unit in (1, 1000))
    np.testing.assert_allclose(one.components_, thousand.components_, atol=1e-9)
    np.testing.assert_allclose(one.transform(X) * 1000, thousand.transform(X * 1000), atol=1e-5)


def test_score_is_explained_variance_against_the_mean(cls):
    sae = quick(cls).fit(*given(cls, X))
    wanted = given(cls, X)[-1]
    error = ((wanted - sae.reconstruct(X)) ** 2).sum()
    variation = ((wanted - wanted.mean(0)) ** 2).sum()
    assert sae.score(*given(cls, X)) == pytest.approx(1 - error / variation, abs=1e-5)


@pytest.mark.filterwarnings("ignore:The reconstructions are worse than the mean")
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, torch.bfloat16])
def test_score_is_that_of_what_reconstruct_returns(cls, kind):
    """In the float type of X: single precision rounds the largest to steps of 1/16."""
    data = X + (1e6 if kind in (np.float32, np.float64) else 10)
    data = torch.tensor(data).to(kind) if isinstance(kind, torch.dtype) else data.astype(kind)
    sae = quick(cls, max_epochs=1).fit(*given(cls, data))
    wanted, found = given(cls, data)[-1], sae.reconstruct(data)
    assert sae.score(*given(cls, data)) == pytest.approx(explained_variance(wanted, found))


def test_partial_fit_equals_fit_in_the_same_order(cls, monkeypatch):
    # Scaling and initial bias come from the first rows: let both see the same ones.
    monkeypatch.setattr(_build, "CALIBRATION_ROWS", 40)
    # Both end with the running thresholds, if any: only fit sets them by all rows in the end.
    monkeypatch.setattr(_fitting, "calibrate", lambda estimator, source: None)
    params = {"shuffle": False, "batch_size": 20, "max_steps": 6, "dead_window": 60}
    whole, parts = quick(cls, **params).fit(*given(cls, X)), quick(cls, **params)
    for start in range(0, len(X), 40):
        parts.partial_fit(*given(cls, X[start : start + 40]))
    np.testing.assert_array_equal(parts.components_, whole.components_)
    activations = [sae.net_.module_.activation for sae in (parts, whole)]
    if activations[0].is_calibrated:
        # Only `fit`, which can read its rows again, sets thresholds by all of them.
        activations[0].threshold.copy_(activations[1].threshold)
    np.testing.assert_array_equal(parts.transform(X), whole.transform(X))
    np.testing.assert_array_equal(parts.feature_density_, whole.feature_density_)
    assert parts.n_steps_ == whole.n_steps_ == 6
    with pytest.warns(UserWarning, match="max_steps=6"):
        parts.partial_fit(*given(cls, X))


def test_warm_start_goes_on_from_the_last_weights(cls):
    sae = quick(cls, warm_start=True, max_epochs=30).fit(*given(cls, X))
    score = sae.score(*given(cls, X))
    sae.set_params(max_steps=1, learning_rate=1e-9).fit(*given(cls, X))
    assert sae.score(*given(cls, X)) == pytest.approx(score, abs=1e-4)
    sae.set_params(n_components=10)
    with pytest.raises(ValueError, match="warm_start"):
        sae.fit(*given(cls, X))


def test_expansion_factor(cls):
    assert len(quick(cls, n_components=1.5).fit(*given(cls, X)).components_) == 12


def test_history_has_one_row_per_interval(cls):
    sae = quick(cls, max_epochs=5, batch_size=30, log_interval=4).fit(*given(cls, X))
    lengths = {len(column) for column in sae.history_.values()}
    assert lengths == {5}
    assert sae.history_["step"] == [4, 8, 12, 16, 20]
    assert sae.history_["epoch"] == [1, 2, 3, 4, 5]
    terms = set(sae.net_.criterion_.terms)
    assert terms | {"loss", "explained_variance", "l0", "dead_share"} <= set(sae.history_)
    total = sum(sae.history_[name][-1] for name in terms)
    assert sae.history_["loss"][-1] == pytest.approx(total, rel=1e-5)


class CountFirings(Callback):
    """Keeps which component fired on which row, for counting by hand."""

    def on_train_begin(self, net, **kwargs):
        self.rows = []

    def on_batch_end(self, net, y_pred=None, **kwargs):
        self.rows.append(y_pred.codes.dense().detach().numpy() > 0)


@pytest.mark.filterwarnings("ignore:the rarest of 60 components")
@pytest.mark.parametrize("dead_window", [1.0, 50, 10_000])
def test_density_and_death_are_counted_over_stated_rows(cls, dead_window):
    counter = CountFirings()
    sae = quick(cls, n_components=60, max_epochs=20, dead_window=dead_window, callbacks=[counter])
    sae.fit(*given(cls, X))
    fired = np.concatenate(counter.rows)
    assert len(fired) == 20 * len(X)
    assert sae.dead_window_ == {1.0: len(X), 50: 50, 10_000: len(fired)}[dead_window]
    # Batches of 32, 32, 32, 24 rows: silence is known to the batch.
    assert (~fired[-sae.dead_window_ - 32 :].any(0)).sum() <= sae.n_dead_
    assert sae.n_dead_ <= (~fired[-max(sae.dead_window_ - 32, 1) :].any(0)).sum()
    # A twentieth of 80 steps: counts over the last 4 to 8 batches.
    assert 4 * 24 <= sae.n_density_samples_ <= 8 * 32
    np.testing.assert_allclose(
        sae.feature_density_, fired[-sae.n_density_samples_ :].mean(0), rtol=1e-6
    )


def test_html_repr_and_text_repr(cls):
    sae = quick(cls)
    assert cls.__name__ in repr(sae)
    assert cls.__name__ in sae._repr_html_()


def test_feature_names(cls):
    names = quick(cls).fit(*given(cls, X)).get_feature_names_out()
    assert names[0] == f"{cls.__name__.lower()}0"
    assert len(names) == 24
