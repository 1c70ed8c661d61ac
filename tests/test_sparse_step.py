"""The sparse step has the gradients of the dense one, for every estimator and its whole loss."""

import copy
import functools

import numpy as np
import pytest
import torch
from helpers import SAES, given, make_data, quick
from naive import use_naive_kernels

from sklearn_aensae import TopKSAE, _devices
from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.kernels import Workspace
from sklearn_aensae.modules.activations import ReLU
from sklearn_aensae.modules.activations.elementwise import BREAK_EVEN, Elementwise

X = make_data(n_samples=200, n_features=8)
PLAN = Plan(n_features=8, n_components=8, n_samples=200, n_steps=10, variance=1.0)
TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
DENSE_AT_FIRST = [c for c in SAES if isinstance(quick(c)._make_activation(PLAN), Elementwise)]
L1_TYPES = [c for c in DENSE_AT_FIRST if "lambda_1" in c.__dataclass_fields__]
ONE_VIEW = {"view_sizes": None}
"""Where parts of atoms are pulled towards 0, training jumps from one side of it to the other, and
rounding decides when: steps still agree, weights after many of them need not."""
N_COMPONENTS = 256  # enough levels for the selection of the largest codes


@functools.cache
def trained(cls, dtype, n_steps):
    """An estimator after so many steps, with dead features if it revives them."""
    sae = quick(cls, N_COMPONENTS, dtype=dtype, batch_size=50, max_steps=n_steps)
    sae.fit(*given(cls, X))
    tracker = sae.net_.module_.tracker
    tracker.samples_since_fired[::3] = 10**6
    return sae


def fitted(cls, dtype, n_steps):
    """One of one's own, to change."""
    return copy.deepcopy(trained(cls, dtype, n_steps))


def make_batch(kind, sae):
    """A scaled batch with what is wanted of it, and weights that fit the case, set in place."""
    module = sae.net_.module_
    rows = np.hstack(given(sae, X[:30]))
    rows = torch.tensor(rows).to(module.decoder.bias.dtype)
    x, wanted = sae._scaling.prepare_(rows, sae._plan.n_targets)
    with torch.no_grad():
        if kind == "empty rows":
            module.encoder.bias.fill_(-0.5)
            x[:7] = module.offset
        elif kind == "full rows":
            module.encoder.bias.fill_(0.5)
            x[:7] = module.offset
        elif kind == "ties":
            x.round_()
            for parameter in (module.encoder.weight, module.encoder.bias, module.decoder.bias):
                parameter.copy_((4 * parameter).round() / 2)
    return (x[:1], wanted[:1]) if kind == "one row" else (x, wanted)


def gradients(net, batch, density):
    """Loss and gradients of one training batch, from a copy of the net's state."""
    module, criterion = copy.deepcopy(net.module_).train(), copy.deepcopy(net.criterion_).train()
    if isinstance(module.activation, Elementwise):
        module.activation.density = density
    with Workspace().step():
        x, wanted = batch
        output = module(x)._replace(target=wanted)
        loss = criterion(x, output, module)
        loss.backward()
    return loss, [p.grad for p in module.parameters()], output.codes


@pytest.mark.filterwarnings("ignore:the rarest of 256 components")
@pytest.mark.parametrize("cls", SAES)
@pytest.mark.parametrize("n_steps", [1, 60], ids=["initial", "trained"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["plain", "empty rows", "full rows", "ties", "one row"])
def test_gradients_equal_those_of_plain_autograd(cls, n_steps, dtype, kind, monkeypatch):
    sae = fitted(cls, dtype, n_steps)
    batch = make_batch(kind, sae)
    ours = {density: gradients(sae.net_, batch, density) for density in (0.0, 1.0)}
    use_naive_kernels(monkeypatch)
    for density, (loss, found, codes) in ours.items():
        expected_loss, expected, naive = gradients(sae.net_, batch, density)
        assert codes.is_sparse == (density == 0 or cls not in DENSE_AT_FIRST)
        torch.testing.assert_close(codes.dense(), naive.dense(), rtol=1e-4, atol=1e-5)
        assert loss.item() == pytest.approx(expected_loss.item(), rel=TOLERANCE[dtype])
        for mine, dense in zip(found, expected, strict=True):
            error = (mine - dense).norm() / dense.norm().clamp(min=1e-12)
            assert error < TOLERANCE[dtype]
    if kind == "empty rows":
        assert not ours[0.0][2].dense()[:7].any()
    if kind == "full rows" and cls in DENSE_AT_FIRST:
        codes = ours[0.0][2]
        # Where gates decide on activity, an active component may still have the code 0.
        decisive = codes if codes._gates is None else codes.gates
        assert bool((decisive.dense()[:7] > 0).all())


@pytest.mark.parametrize(
    ("cls", "name", "options"),
    [(cls, name, {"dead_features": name}) for cls in L1_TYPES for name in ("auxk", "ghost")]
    + [(TopKSAE, "multi_topk", {"multi_k": 40})],
)
def test_gradients_of_optional_terms_equal_those_of_plain_autograd(cls, name, options, monkeypatch):
    sae = quick(cls, N_COMPONENTS, dtype="float64", max_steps=40, **options).fit(X)
    sae.net_.module_.tracker.samples_since_fired[::3] = 10**6
    for term in sae.net_.criterion_.terms.values():
        # Who is dead is looked up in the next batch.
        term.n_calls = 0
    x = make_batch("plain", sae)
    ours = {density: gradients(sae.net_, x, density) for density in (0.0, 1.0)}
    assert sae.net_.criterion_.terms[name].weight > 0
    use_naive_kernels(monkeypatch)
    for density, (loss, found, codes) in ours.items():
        expected_loss, expected, _ = gradients(sae.net_, x, density)
        assert codes.is_sparse == (density == 0 or cls is TopKSAE)
        assert loss.item() == pytest.approx(expected_loss.item(), rel=1e-10)
        for mine, dense in zip(found, expected, strict=True):
            assert (mine - dense).norm() / dense.norm().clamp(min=1e-12) < 1e-10


DATA = make_data(n_samples=400, n_features=8)


def get_sparse(cls):
    """An estimator whose codes are dense at first and sparse in the end."""
    params = {"n_components": 64, "max_epochs": 30, "batch_size": 50, "lambda_1": 0.3}
    params |= {"dtype": "float64", "learning_rate": 6e-3, "log_interval": 8}
    params |= {k: v for k, v in ONE_VIEW.items() if k in cls.__dataclass_fields__}
    return quick(cls, **params).fit(*given(cls, DATA))


@functools.cache
def never_sparse(cls):
    """The same, trained on dense codes to the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sklearn_aensae.modules.activations.elementwise.BREAK_EVEN", 0)
        dense = get_sparse(cls)
    assert set(dense.history_["sparse_share"]) == {0.0}
    return dense


@pytest.mark.parametrize("cls", L1_TYPES)
def test_codes_turn_sparse_by_themselves_with_the_same_result(cls):
    """Training that changes over in between ends where training that never does ends."""
    changing, dense = get_sparse(cls), never_sparse(cls)
    share = np.array(changing.history_["sparse_share"])
    assert share[0] == 0
    assert share[-1] == 1
    assert changing.history_["l0"][-1] / 64 < BREAK_EVEN < changing.history_["l0"][0] / 64
    np.testing.assert_allclose(changing.components_, dense.components_, atol=1e-8)
    np.testing.assert_allclose(changing.transform(DATA), dense.transform(DATA), atol=1e-8)
    for name in set(changing.history_) - {"sparse_share", "rows_per_second"}:
        np.testing.assert_allclose(changing.history_[name], dense.history_[name], atol=1e-8)


@pytest.mark.parametrize("cls", [c for c in SAES if c not in DENSE_AT_FIRST])
def test_rules_with_a_budget_always_run_on_the_active_set(cls):
    assert set(quick(cls).fit(*given(cls, X)).history_["sparse_share"]) == {1.0}


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """Behave as where tensors must not be looked at."""
    monkeypatch.setattr(_devices, "reads_are_free", lambda device: False)


@pytest.mark.parametrize("cls", L1_TYPES)
def test_fixed_capacity_gives_the_same_result(cls, as_on_a_gpu, monkeypatch):
    monkeypatch.setattr("sklearn_aensae.modules.activations.elementwise.BREAK_EVEN", 0.9)
    changing = get_sparse(cls)
    assert changing.history_["sparse_share"][0] == 0
    assert changing.history_["sparse_share"][-1] == 1
    assert 0 < changing.net_.module_.activation.capacity < 64
    np.testing.assert_allclose(changing.components_, never_sparse(cls).components_, atol=1e-8)


def test_an_overflow_is_told_and_ends_the_sparse_phase(as_on_a_gpu):
    activation = ReLU().train()
    weight, zeros = torch.eye(128), torch.zeros(128)
    few, many = -torch.ones(20, 128), -torch.ones(20, 128)
    few[:, :2] = 1
    many[3, :20] = 1
    assert not activation.encode(few, weight, zeros, zeros).is_sparse
    activation.adapt()
    assert activation.capacity == 8
    codes = activation.encode(many, weight, zeros, zeros)
    assert codes.is_sparse
    assert codes.firing_counts.sum() == 8
    with pytest.warns(UserWarning, match="1 rows .* at least 8 active"):
        activation.adapt()
    assert activation.capacity == 0
    assert activation.encode(many, weight, zeros, zeros).firing_counts.sum() == 20


def test_a_capacity_from_a_gpu_leaves_nothing_out_on_the_host():
    activation = ReLU().train()
    activation.set_extra_state({"density": 0.01, "capacity": 8})
    codes = activation.encode(
        torch.ones(5, 128), torch.eye(128), torch.zeros(128), torch.zeros(128)
    )
    assert codes.is_sparse
    assert codes.firing_counts.sum() == 5 * 128
