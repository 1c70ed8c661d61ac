"""Multi-TopK against numpy, and what it was invented for."""

import numpy as np
import pytest
import torch
from helpers import make_data, quick

from sklearn_aensae import BatchTopKSAE, TopKSAE, _devices
from sklearn_aensae.datasets import make_sparse_codes
from sklearn_aensae.kernels import Workspace
from sklearn_aensae.modules.activations import MultiTopK, TopK
from sklearn_aensae.testing import count_host_reads

X = make_data()


def naive_codes(pre_codes, k):
    """ReLU of the k largest pre-codes of each row."""
    kept = np.argsort(-pre_codes, axis=1)[:, :k]
    codes = np.zeros_like(pre_codes)
    np.put_along_axis(codes, kept, np.take_along_axis(pre_codes, kept, 1), 1)
    return np.maximum(codes, 0)


@pytest.fixture
def trained():
    """An estimator and a scaled batch, as arrays: inputs, W, c, D, b."""
    sae = quick(TopKSAE, k=3, multi_k=12, dtype="float64", dead_features=None).fit(X)
    module, x = sae.net_.module_.train(), torch.tensor(X[:30] * sae._scaling.factor)
    encoder, decoder = module.encoder, module.decoder
    parameters = (encoder.weight, encoder.bias, decoder.atoms, decoder.bias)
    return sae, module, x, [p.detach().numpy() for p in parameters]


def test_loss_and_gradients_against_numpy(trained):
    sae, module, x, (W, c, D, b) = trained
    module.zero_grad()
    with Workspace().step():
        output = module(x)
        loss = sae.net_.criterion_.train()(x, output, module)
        loss.backward()
    x, variance = x.numpy(), sae._plan.variance
    pre_codes = (x - b) @ W.T + c
    narrow, wide = naive_codes(pre_codes, 3), naive_codes(pre_codes, 12)
    np.testing.assert_allclose(output.codes.dense().detach(), narrow, atol=1e-12)
    np.testing.assert_allclose(output.codes.wider.dense().detach(), wide, atol=1e-12)
    assert (wide > 0).sum() > (narrow > 0).sum()
    errors = [codes @ D + b - x for codes in (narrow, wide)]
    weights = (1 / variance, 1 / 8 / variance)
    expected = sum(w * (e**2).mean() for w, e in zip(weights, errors, strict=True))
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    to_atoms, to_codes, to_bias = 0.0, 0.0, 0.0
    for w, e, codes in zip(weights, errors, (narrow, wide), strict=True):
        flowing = 2 * w / e.size * e
        to_atoms = to_atoms + codes.T @ flowing
        to_codes = to_codes + flowing @ D.T * (codes > 0)
        to_bias = to_bias + flowing.sum(0)
    np.testing.assert_allclose(module.decoder.atoms.grad, to_atoms, atol=1e-12)
    np.testing.assert_allclose(module.encoder.weight.grad, to_codes.T @ (x - b), atol=1e-12)
    np.testing.assert_allclose(module.encoder.bias.grad, to_codes.sum(0), atol=1e-12)
    np.testing.assert_allclose(module.decoder.bias.grad, to_bias - to_codes.sum(0) @ W, atol=1e-12)


def test_codes_are_those_of_topk(trained):
    _, module, x, _ = trained
    multi, plain = module.activation, TopK(3)
    arguments = (x, module.encoder.weight, module.encoder.bias, module.offset)
    expected = plain.encode(*arguments)
    for mode in (True, False):
        codes = multi.train(mode).encode(*arguments)
        torch.testing.assert_close(codes.dense(), expected.dense())
        assert codes.firing_counts.tolist() == expected.firing_counts.tolist()
        assert (codes.wider is None) == (not mode)


def test_the_wider_choice_costs_no_host_read(monkeypatch):
    monkeypatch.setattr(_devices, "reads_are_free", lambda device: False)
    activation, x = MultiTopK(2, 8), torch.randn(20, 4)
    weight = torch.randn(16, 4)
    with count_host_reads() as counter:
        codes = activation.encode(x, weight, torch.zeros(16), torch.zeros(4))
        codes.wider.decode(weight)
    assert counter.n_reads == 0


def test_held_out_rows_are_judged_by_the_codes_that_users_see():
    params = {"validation_fraction": 0.25, "dead_features": None, "max_epochs": 1}
    sae = quick(TopKSAE, k=3, multi_k=12, **params).fit(X)
    plain = quick(TopKSAE, k=3, multi_k=12, multi_coefficient=0.0, **params).fit(X)
    first, second = (s.net_.history[-1]["valid_loss"] for s in (sae, plain))
    assert first == pytest.approx(second, rel=0.05)
    assert sae.history_["multi_topk"][-1] > 0.05 * first


def test_more_than_all_components_means_all():
    wide, all_of_them = (quick(TopKSAE, multi_k=k).fit(X) for k in (1000, 24))
    np.testing.assert_array_equal(wide.components_, all_of_them.components_)


def test_budgets_over_a_batch_have_no_such_option():
    with pytest.raises(TypeError, match="multi_k"):
        BatchTopKSAE(multi_k=64)


def test_more_codes_than_in_training_do_not_spoil_the_reconstruction():
    """What Multi-TopK is for: a dictionary that bears other numbers of codes than its own."""
    data, _, _ = make_sparse_codes(1000, 16, 32, n_active=4, random_state=0)
    params = {"k": 4, "max_epochs": 15, "learning_rate": 1e-2, "batch_size": 100}
    scores = {}
    for multi_k in (None, 16):
        sae = quick(TopKSAE, 64, multi_k=multi_k, **params).fit(data)
        for k in (4, 8, 16):
            sae.net_.module_.activation.k = k
            scores[multi_k, k] = sae.score(data)
    print({key: round(score, 3) for key, score in scores.items()})
    assert scores[None, 16] < scores[None, 4]
    assert scores[16, 16] > scores[None, 16] + 0.1
    assert scores[16, 4] > scores[None, 4] - 0.05
