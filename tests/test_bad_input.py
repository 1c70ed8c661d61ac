"""Bad input: each error names the parameter, what came and what is allowed."""

import numpy as np
import pytest
import torch
from helpers import SAES, given, make_data, quick
from sklearn.decomposition import PCA
from skorch.callbacks import LRScheduler
from torch.utils.data import TensorDataset

from sklearn_aensae import L1SAE, AdaptiveLassoSAE, TopKSAE, datasets, load
from sklearn_aensae.exceptions import DivergenceError
from sklearn_aensae.metrics import hedging_degree
from sklearn_aensae.params import OneOf
from sklearn_aensae.theory import empirical_lipschitz

X = make_data()

BAD_DATA = {
    "one dimension": (X[0], r"Reshape your data"),
    "three dimensions": (np.zeros((4, 5, 8)), r"\(4, 5, 8\).*X\.reshape\(-1, X\.shape\[-1\]\)"),
    "3-d tensor": (torch.zeros(4, 5, 8), r"\(4, 5, 8\).*X\.reshape\(-1, X\.shape\[-1\]\)"),
    "1-d tensor": (torch.zeros(8), r"Expected 2D X, got 1D.*Reshape"),
    "empty": (np.zeros((0, 8)), r"0 sample\(s\)"),
    "empty tensor": (torch.zeros(0, 8), r"0 sample\(s\)"),
    "no features": (np.zeros((4, 0)), r"0 feature\(s\)"),
    "NaN": (np.where(np.arange(8) == 3, np.nan, X), r"contains NaN"),
    "infinity": (np.where(np.arange(8) == 3, np.inf, X), r"contains infinity"),
    "NaN tensor": (torch.full((4, 8), torch.nan), r"X contains NaN or infinity"),
    "infinite tensor": (torch.full((4, 8), torch.inf), r"X contains NaN or infinity"),
    "complex": (X * 1j, r"Complex data not supported"),
    "complex tensor": (torch.zeros(4, 8, dtype=torch.complex64), r"Complex data not supported"),
    "objects": (np.array([[{}, {}], [{}, {}]], dtype=object), r"dict"),
    "texts": (["some text", "more text"], r"holds text.*LLMActivationTransformer"),
    "one text": (
        "some text",
        r"X is the string 'some text'.*goes in a list.*LLMActivationTransformer",
    ),
    "None": (None, r"X must be a matrix.*; got None"),
    "a dict": ({"X": X}, r"X must be a matrix.*; got a dict"),
    "a function": (lambda: iter([X]), r"X is the function '<lambda>' and not what it returns"),
    "a path": ("/no/such/folder", r"X is the string '/no/such/folder'. As a path it leads nowhere"),
    "a sparse tensor": (torch.eye(8).to_sparse(), r"X is a tensor of layout torch.sparse_coo on"),
    "a CSR tensor": (torch.eye(8).to_sparse_csr(), r"Use X\.to_dense\(\) to convert a sparse one"),
    "a meta tensor": (torch.empty(4, 8, device="meta"), r"X is a tensor of layout .* on meta"),
    "a dataset": (
        TensorDataset(torch.eye(8)),
        r"X is a TensorDataset, .* wrap it in a .*Loader",
    ),
    "an array of texts": (np.array(["some text", "more text"]), r"holds text"),
}


@pytest.mark.parametrize("method", ["fit", "partial_fit", "transform", "score"])
@pytest.mark.parametrize(("data", "message"), BAD_DATA.values(), ids=BAD_DATA.keys())
def test_bad_data(method, data, message):
    sae = quick(L1SAE)
    if method in {"transform", "score"}:
        sae.fit(X)
    with pytest.raises((ValueError, TypeError), match=message):
        getattr(sae, method)(data)


@pytest.mark.parametrize("seed", [-1, 2**32, 2**40, True, np.False_, "a", 1.5, None.__class__])
def test_bad_seeds(seed):
    with pytest.raises((ValueError, TypeError), match=r"random_state must be None, an int from 0"):
        quick(L1SAE).set_params(random_state=seed).fit(X)


@pytest.mark.parametrize("seed", [None, np.int64(3), 2**32 - 1, np.random.RandomState(0)])
def test_good_seeds(seed):
    assert quick(L1SAE).set_params(random_state=seed).fit(X).n_steps_ > 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scaling", ["mean_norm", "sample_norm", "whiten", None])
def test_values_whose_squares_are_infinite(dtype, scaling):
    message = "infinite in float32; set dtype=" if dtype == "float32" else "too large|not finite"
    with pytest.raises((ValueError, DivergenceError), match=message):
        quick(L1SAE, dtype=dtype, input_scaling=scaling).fit(X.astype(np.float64) * 1e200)


@pytest.mark.parametrize("scaling", ["mean_norm", "sample_norm"])
def test_values_whose_scale_is_infinite(scaling):
    rows = (X * 1e-42).astype(np.float32)
    with pytest.raises(ValueError, match="too small for input_scaling=.* infinite in float32"):
        quick(L1SAE, input_scaling=scaling).fit(rows)


def test_before_the_first_update_no_learning_rate_is_too_large():
    sae = quick(L1SAE, input_scaling=None, dtype="float64")
    with pytest.raises(DivergenceError, match="Most likely X has values too large"):
        sae.fit(X * 1e200)


@pytest.mark.filterwarnings("ignore:The reconstructions are worse than the mean")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_that_are_all_alike_vary_by_rounding_only(dtype):
    row = 0.1 * np.linspace(1, 2, 7)
    sae = quick(TopKSAE, dtype=dtype).fit(np.tile(row, (500, 1)))
    assert sae._plan.variance == 1
    sae.fit(row + 1e-5 * np.random.default_rng(0).normal(size=(500, 7)))
    assert sae._plan.variance < 1e-6


def as_numpy(value):
    """The same integers or strings as NumPy gives them."""
    kinds = {int: np.int64, str: np.str_}
    return kinds[type(value)](value) if type(value) in kinds else value


@pytest.mark.parametrize("cls", SAES)
def test_numpy_scalars_are_what_they_hold(cls, tmp_path):
    """All integers and names at once, as a grid made by np.arange gives them."""
    integers = {"k": 3, "multi_k": 5, "k_aux": 3, "max_steps": 4, "n_candidates": 30, "order": 2}
    phases = ("lr_warmup", "lr_decay", "lambda_warmup", "log_interval", "reallocation_interval")
    plain = cls().get_params() | integers | {"random_state": 0, "device": "cpu", "batch_size": 32}
    plain |= dict.fromkeys((*phases, "dead_window", "n_components", "decoder_refits"), 2)
    plain = {name: value for name, value in plain.items() if name in cls.__dataclass_fields__}
    plain |= {"n_components": 24}
    converted = {name: as_numpy(value) for name, value in plain.items()}
    ours, theirs = (cls(**params).fit(*given(cls, X)) for params in (converted, plain))
    for sae in (ours, theirs):
        sae.set_params(max_steps=np.int64(8)).partial_fit(*given(cls, X))
    np.testing.assert_array_equal(ours.transform(X), theirs.transform(X))
    ours.save(tmp_path / "sae")
    np.testing.assert_array_equal(load(tmp_path / "sae").transform(X), ours.transform(X))


@pytest.mark.parametrize(("value", "option"), [(np.bool_(True), 1), (True, 1), (1, True), (1.0, 1)])
def test_options_of_another_kind_are_none(value, option):
    assert not OneOf(option).accepts(value)


def test_a_stream_is_not_trained_on_only_to_be_refused():
    sae, blocks = quick(L1SAE, max_steps=3), iter([X, X])
    with pytest.raises(ValueError, match="fit_transform would have to read twice; call fit"):
        sae.fit_transform(blocks)
    assert len(list(blocks)) == 2
    assert not hasattr(sae, "components_")


def test_blocks_that_can_be_called_are_blocks_nevertheless():
    class Blocks:
        def __call__(self):
            raise AssertionError

        def __iter__(self):
            return iter([X, X])

    assert quick(L1SAE, max_steps=3).fit(Blocks()).n_steps_ == 3


@pytest.mark.parametrize("cls", SAES)
@pytest.mark.parametrize("make", [np.asarray, torch.tensor], ids=["array", "tensor"])
def test_wrong_number_of_features(cls, make):
    sae = quick(cls).fit(*given(cls, X))
    with pytest.raises(ValueError, match="5 features, but .* is expecting 8 features"):
        sae.transform(make(X[:, :5]))
    with pytest.raises(ValueError, match="codes has 8 columns.* 24 components"):
        sae.inverse_transform(make(X))


BAD_PARAMETERS = [
    ("n_components", 0, "an int >= 1 or a factor"),
    ("n_components", -2.0, "an int >= 1 or a factor"),
    ("n_components", "many", "an int >= 1 or a factor"),
    ("batch_size", 0, "an integer >= 1"),
    ("batch_size", 2.5, "an integer >= 1"),
    ("max_epochs", 0, "an integer >= 1"),
    ("max_steps", 0, "an integer >= 1 or None"),
    ("learning_rate", 0, r"a number in \(0, inf\)"),
    ("learning_rate", float("nan"), r"a number in \(0, inf\)"),
    ("lr_warmup", 1.5, "a number of steps"),
    ("lr_decay", -1, "a number of steps"),
    ("optimizer", "lion", "one of 'adam', 'adamw', 'sgd' or a callable"),
    ("init", "zeros", "one of 'data', 'data_median', 'paper'"),
    ("input_scaling", "pca", "one of None, 'mean_norm', 'sample_norm', 'whiten'"),
    ("shuffle", "yes", "True or False"),
    ("validation_fraction", 1.0, r"a number in \[0, 1\)"),
    ("dead_window", 0, "an int >= 1 or a factor"),
    ("log_interval", 0, "a number of steps"),
    ("log_interval", 0.0, "a number of steps"),
    ("callbacks", [print], "a list of skorch callbacks"),
    ("device", 0, "'auto', the name of a torch device, or a torch.device"),
    ("device", "", "'auto', the name of a torch device"),
    ("dtype", "bfloat16", "one of 'float32', 'float64'"),
    ("verbose", 2, "True or False"),
]


@pytest.mark.parametrize("cls", SAES)
@pytest.mark.parametrize(("name", "value", "allowed"), BAD_PARAMETERS)
def test_bad_parameters(cls, name, value, allowed):
    sae = quick(cls).set_params(**{name: value})
    with pytest.raises(ValueError, match=f"{cls.__name__}: {name} must be {allowed}.*; got") as e:
        sae.fit(*given(cls, X))
    assert repr(value) in str(e.value)
    assert isinstance(e.value, TypeError)


@pytest.mark.parametrize(
    ("cls", "name", "value", "allowed"),
    [
        (L1SAE, "lambda_1", -0.1, "a number >= 0"),
        (L1SAE, "lambda_warmup", 2.0, "a number of steps"),
        (AdaptiveLassoSAE, "gamma", -1, "a number >= 0"),
        (AdaptiveLassoSAE, "ema_beta", 1.0, r"a number in \[0, 1\)"),
        (AdaptiveLassoSAE, "weight_statistic", "max", "one of 'mean', 'active_mean'"),
        (TopKSAE, "k", 0, "an integer >= 1"),
        (TopKSAE, "dead_features", "ghost", "one of 'auxk', None"),
        (L1SAE, "dead_features", "aux_zipf", "one of 'auxk', 'ghost', 'resample', None"),
        (L1SAE, "resample_at", [0.5, 1.5], r"a list of steps \(ints >= 1\) or shares"),
        (L1SAE, "resample_at", 0.5, r"a list of steps \(ints >= 1\) or shares"),
        (TopKSAE, "multi_k", 4, "more than k=4, or None; got 4"),
        (TopKSAE, "multi_k", 0, "an integer >= 1 or None"),
        (TopKSAE, "k_aux", 0, "an integer >= 1 or None"),
    ],
)
def test_bad_parameters_of_one_estimator(cls, name, value, allowed):
    with pytest.raises(ValueError, match=f"{name} must be {allowed}"):
        quick(cls).set_params(**{name: value}).fit(X)


def test_bounds_of_weights_in_the_wrong_order():
    with pytest.raises(ValueError, match="weight_min must be at most weight_max=1"):
        quick(AdaptiveLassoSAE, weight_min=2.0, weight_max=1.0).fit(X)


@pytest.mark.parametrize(("low", "high"), [(0.0, 10.0), (1.0, 10.0), (0.1, 1.0)])
def test_a_soft_cap_needs_one_between_its_bounds(low, high):
    message = f"0 < weight_min < 1 < weight_max; got weight_min={low} .*={high}"
    with pytest.raises(ValueError, match=message):
        quick(AdaptiveLassoSAE, weight_cap="soft", weight_min=low, weight_max=high).fit(X)


@pytest.mark.parametrize("reference", ["mean", 1.5, -0.1, True, None])
def test_a_reference_is_named_or_a_quantile(reference):
    message = (
        r"weight_reference must be one of 'top', 'median', or a quantile \(a number in \[0, 1\]"
    )
    with pytest.raises(ValueError, match=message):
        quick(AdaptiveLassoSAE, weight_reference=reference).fit(X)


def test_a_factor_that_leaves_no_component():
    with pytest.raises(ValueError, match="n_components=0.01 times 8 features is less than one"):
        quick(L1SAE, n_components=0.01).fit(X)


@pytest.mark.parametrize("integer", [np.int64(12), np.int32(12)])
def test_numpy_integers_are_counts(integer):
    sae = quick(L1SAE, n_components=integer, lr_warmup=integer, dead_window=integer).fit(X)
    assert sae.n_components_ == 12
    assert sae.dead_window_ == 12


def test_warm_start_with_another_scaling():
    sae = quick(L1SAE, warm_start=True).fit(X)
    with pytest.raises(ValueError, match="input_scaling was 'mean_norm' and would now be None"):
        sae.set_params(input_scaling=None).fit(X)


def test_k_above_n_components_means_all():
    assert (quick(TopKSAE, 3, k=100).fit_transform(X) > 0).sum(1).max() == 3


@pytest.mark.parametrize("n_components", [2**31, 1e18])
def test_more_components_than_there_are_indices(n_components):
    with pytest.raises(ValueError, match=r"n_components=.* components for 8 features; at most"):
        quick(L1SAE, n_components).fit(X)


def test_more_weights_than_memory(monkeypatch):
    def full(*size, **kwargs):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1")

    monkeypatch.setattr(torch, "empty", full)
    with pytest.raises(MemoryError, match=r"n_components=24 is 24 components for 8 features"):
        quick(L1SAE).fit(X)


@pytest.mark.parametrize("device", ["quantum", "cuda:99", torch.device("cuda:99")])
def test_devices_that_are_not_there(device):
    with pytest.raises(ValueError, match=f"device='{device}' cannot be used here"):
        quick(L1SAE, device=device).fit(X)


def test_cuda_asked_for_but_absent(monkeypatch):
    def no_cuda(*args, **kwargs):
        raise AssertionError("Torch not compiled with CUDA enabled")

    monkeypatch.setattr(torch, "empty", no_cuda)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device='cuda' cannot be used here.*which has no CUDA"):
        quick(L1SAE, device="cuda").fit(X)


def test_two_schedules_for_one_learning_rate():
    scheduler = LRScheduler(policy="StepLR", step_size=1)
    with pytest.raises(ValueError, match="lr_warmup=0.05 and lr_decay=0.2; set both to 0"):
        quick(L1SAE, callbacks=[scheduler]).fit(X)


def test_everything_held_out():
    with pytest.raises(ValueError, match="validation_fraction=0.9 leaves no row to train on"):
        quick(L1SAE, validation_fraction=0.9).fit(X[:1])


@pytest.mark.parametrize("convert", [np.asarray, torch.tensor])
def test_codes_too_large_for_half_precision(convert):
    rows = np.random.default_rng(0).choice([-6e4, 6e4], size=(50, 64)).astype(np.float16)
    sae = quick(TopKSAE, k=1).fit(rows)
    with pytest.raises(ValueError, match=r"do not fit into float16, .* ends at 65,504; give it as"):
        sae.transform(convert(rows))
    assert np.isfinite(sae.transform(rows.astype(np.float32))).all()


@pytest.mark.parametrize("name", ["reconstruction", "loss", "l0"])
def test_a_term_may_not_be_named_as_a_column_of_the_log(name):
    class Named(L1SAE):
        def _make_terms(self, plan):
            return {name: super()._make_terms(plan)["l1"]}

    with pytest.raises(ValueError, match=rf"Named._make_terms names a term '{name}'"):
        quick(Named).fit(X)


DRAWING = {
    "make_sparse_codes": lambda seed: datasets.make_sparse_codes(9, random_state=seed),
    "make_feature_tree": lambda seed: datasets.make_feature_tree(9, random_state=seed),
    "make_interactions": lambda seed: datasets.make_interactions(9, random_state=seed),
    "make_spiked_dictionary": lambda seed: datasets.make_spiked_dictionary(9, random_state=seed),
    "SpikedDictionaryStream": lambda seed: datasets.SpikedDictionaryStream(random_state=seed),
    "hedging_degree": lambda seed: hedging_degree(np.eye(9)[:2], np.eye(9)[:3], random_state=seed),
    "empirical_lipschitz": lambda seed: empirical_lipschitz(PCA(2).fit(X), X, random_state=seed),
}


@pytest.mark.parametrize("seed", [-1, 2**32, "zero", 1.5, np.random.default_rng(0)])
@pytest.mark.parametrize("draw", DRAWING.values(), ids=DRAWING.keys())
def test_a_random_state_that_is_none(draw, seed):
    with pytest.raises(ValueError, match=r"random_state must be None, an int.*; got "):
        draw(seed)
