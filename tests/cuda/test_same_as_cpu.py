"""On a GPU every estimator learns and answers what it does on the CPU, and does not wait."""

import copy
import os
import pickle
import subprocess
import sys
import traceback
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import SAES, given, make_data, quick

from sklearn_aensae import AdaptiveElasticNetSAE, TopKSAE, load
from sklearn_aensae.kernels import Workspace, use_triton
from sklearn_aensae.modules.activations.elementwise import Elementwise

X = make_data(n_samples=256, n_features=8)
FEW = {"max_steps": 6, "batch_size": 64}
LOADED_WITHOUT = """
import pickle, sys
import numpy as np, torch
from sklearn_aensae import load
assert not torch.cuda.is_available()
folder = sys.argv[1]
X, codes = np.load(f"{folder}/X.npy"), np.load(f"{folder}/codes.npy")
with open(f"{folder}/sae.pkl", "rb") as file:
    pickled = pickle.load(file)
for sae in (pickled, load(f"{folder}/sae", device="cpu")):
    assert sae.net_.device == "cpu"
    np.testing.assert_allclose(sae.transform(X), codes, rtol=1e-8, atol=1e-8)
"""


@pytest.fixture(params=SAES, ids=lambda cls: cls.__name__)
def cls(request):
    return request.param


def fit_both(cls, **params):
    """The same fit on GPU and CPU."""
    gpu, cpu = (quick(cls, device=device, **params) for device in ("cuda", "cpu"))
    return gpu.fit(*given(cls, X)), cpu.fit(*given(cls, X))


def test_a_few_steps_are_the_same(cls):
    """Few, as rounding decides which code is the larger of two and grows from step to step."""
    gpu, cpu = fit_both(cls, dtype="float64", **FEW)
    assert next(gpu.net_.module_.parameters()).is_cuda
    for name in ("components_", "encoder_weights_", "encoder_bias_", "decoder_bias_"):
        np.testing.assert_allclose(getattr(gpu, name), getattr(cpu, name), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(gpu.transform(X), cpu.transform(X), rtol=1e-6, atol=1e-6)


def test_sparse_codes_are_the_dense_ones(cls):
    sae = quick(cls, device="cuda").fit(*given(cls, X))
    dense = sae.transform(X)
    codes = sae.set_params(sparse_output=True).transform(X)
    np.testing.assert_allclose(codes.toarray(), dense, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        sae.inverse_transform(codes), sae.inverse_transform(dense), rtol=1e-4, atol=1e-4
    )


def test_tensors_on_the_gpu_stay_there(cls):
    parts = given(cls, torch.tensor(X))
    sae = quick(cls, device="cuda").fit(*(part.cuda() for part in parts))
    codes = sae.transform(parts[0].cuda())
    assert codes.is_cuda
    assert sae.inverse_transform(codes).is_cuda
    np.testing.assert_allclose(codes.cpu(), sae.transform(parts[0]), rtol=1e-5, atol=1e-5)


def test_it_loads_where_there_is_no_gpu(cls, tmp_path):
    sae = quick(cls, device="cuda", dtype="float64", **FEW).fit(*given(cls, X))
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "codes.npy", sae.transform(X))
    sae.save(tmp_path / "sae")
    (tmp_path / "sae.pkl").write_bytes(pickle.dumps(sae))
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-W", "ignore", "-c", LOADED_WITHOUT, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert load(tmp_path / "sae").net_.device == "cuda"


@pytest.mark.parametrize("density", [0.0, 1.0], ids=["sparse", "dense"])
@pytest.mark.filterwarnings("ignore:the rarest of 256 components")
def test_gradients_are_those_of_the_cpu(cls, density):
    sae = quick(cls, 256, dtype="float64", device="cpu", max_steps=40).fit(*given(cls, X))
    sae.net_.module_.tracker.samples_since_fired[::3] = 10**6
    on_cpu, on_gpu = (gradients(sae, density, device) for device in ("cpu", "cuda"))
    for name, gradient in on_cpu.items():
        difference = (on_gpu[name].cpu() - gradient).norm()
        assert difference <= 1e-10 * gradient.norm(), name


def gradients(sae, density, device):
    """Gradients of one batch on a device, by parameter."""
    module = copy.deepcopy(sae.net_.module_).to(device).train()
    criterion = copy.deepcopy(sae.net_.criterion_).to(device).train()
    if isinstance(module.activation, Elementwise):
        module.activation.density = density
    rows = torch.tensor(np.hstack(given(sae, X[:30]))).to(device)
    x, wanted = sae._scaling.prepare_(rows, sae._plan.n_targets)
    with Workspace().step():
        criterion(x, module(x)._replace(target=wanted), module).backward()
    return {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


def test_steps_do_not_wait_for_the_gpu(cls):
    """Steps between two rows of the log, that is; writing one takes a read."""
    sae = quick(cls, device="cuda", batch_size=32, max_steps=12, log_interval=100)
    net = sae.fit(*given(cls, X)).net_
    rows = torch.tensor(np.hstack(given(sae, X[:32]))).float().cuda()
    batch = sae._scaling.prepare_(rows, sae._plan.n_targets)
    net.notify("on_train_begin", X=None, y=None)
    net.notify("on_epoch_begin", dataset_train=None, dataset_valid=None)
    with waits_noted() as waits:
        net.notify("on_batch_begin", batch=batch, training=True)
        step = net.train_step(batch)
        net.n_steps_ += 1
        net.notify("on_batch_end", batch=batch, training=True, **step)
    assert waits == []


@contextmanager
def waits_noted():
    """Yield a list that fills with the places at which the host waited for the GPU."""
    waits = []

    def note(message, *args, **kwargs):
        if "called a synchronizing" in str(message):
            stack = traceback.extract_stack()[:-1]
            waits.append([f"{Path(f.filename).name}:{f.lineno} {f.line}" for f in stack[-5:]])

    torch.cuda.synchronize()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = note
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield waits
        finally:
            torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
def test_triton_products_are_those_of_torch(precision):
    use_triton(True)
    try:
        by_triton = quick(TopKSAE, 64, device="cuda", matmul_precision=precision, **FEW).fit(X)
    finally:
        use_triton(False)
    by_torch = quick(TopKSAE, 64, device="cuda", matmul_precision=precision, **FEW).fit(X)
    np.testing.assert_allclose(by_triton.components_, by_torch.components_, rtol=1e-3, atol=1e-3)


def test_exact_codes():
    gpu, cpu = fit_both(AdaptiveElasticNetSAE, dtype="float64", **FEW)
    exact = gpu.encode(X, method="exact")
    np.testing.assert_allclose(exact, cpu.encode(X, method="exact"), rtol=1e-4, atol=1e-4)


def test_exact_codes_meet_a_target():
    params = {"target_l0": 3, "transform_method": "exact", "max_epochs": 20}
    sae = quick(AdaptiveElasticNetSAE, device="cuda", **params).fit(torch.tensor(X).cuda())
    assert (sae.transform(X) > 0).sum(1).mean() == pytest.approx(3, rel=0.05)
