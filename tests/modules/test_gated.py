"""Gated codes: the formula, the JumpReLU they equal, and who gets which gradient."""

import numpy as np
import pytest
import torch

from sklearn_aensae.modules import Autoencoder
from sklearn_aensae.modules.activations import Gated
from sklearn_aensae.modules.decoders import LinearDecoder
from sklearn_aensae.modules.encoder import LinearEncoder

N_FEATURES, N_COMPONENTS = 5, 12


@pytest.fixture(params=[0.0, 1.0], ids=["active", "dense"])
def module(request):
    """An autoencoder with random weights of all kinds."""
    generator = torch.Generator().manual_seed(0)
    module = Autoencoder(
        LinearEncoder(N_FEATURES, N_COMPONENTS),
        Gated(N_COMPONENTS),
        LinearDecoder(N_FEATURES, N_COMPONENTS),
    ).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(generator=generator).mul_(0.7)
    module.decoder.constrain_()
    module.activation.density = request.param
    return module


X = np.random.default_rng(1).normal(size=(40, N_FEATURES))


def numbers(module):
    return [p.detach().numpy() for p in (module.encoder.weight, module.encoder.bias,
            module.activation.log_scale, module.activation.magnitude_bias, module.decoder.atoms,
            module.decoder.bias)]  # fmt: skip


def test_codes_and_gates_are_the_formula(module):
    W, b_gate, r, b_mag, _, b = numbers(module)
    codes = module.encode(torch.tensor(X))
    linear = (X - b) @ W.T
    pi_gate, pi_mag = linear + b_gate, np.exp(r) * linear + b_mag
    expected = (pi_gate > 0) * np.maximum(pi_mag, 0)
    np.testing.assert_allclose(codes.dense().detach(), expected, atol=1e-12)
    np.testing.assert_allclose(codes.gates.dense().detach(), np.maximum(pi_gate, 0), atol=1e-12)
    # All four cases occur: open or not, with a magnitude or not.
    for gate_is_open in (True, False):
        for is_positive in (True, False):
            assert (((pi_gate > 0) == gate_is_open) & ((pi_mag > 0) == is_positive)).any()


def test_equals_a_jumprelu_of_its_magnitudes(module):
    W, b_gate, r, b_mag, _, b = numbers(module)
    magnitudes = (X - b) @ (np.exp(r)[:, None] * W).T + b_mag
    threshold = module.activation.magnitude_threshold(module.encoder.bias).numpy()
    np.testing.assert_allclose(threshold, b_mag - np.exp(r) * b_gate)
    active = magnitudes > np.maximum(threshold, 0)
    codes = module.encode(torch.tensor(X)).dense().detach()
    np.testing.assert_allclose(codes, np.where(active, magnitudes, 0), atol=1e-12)
    assert (threshold < 0).any()
    assert (threshold > 0).any()


def test_codes_give_the_gate_no_gradient(module):
    W, b_gate, r, b_mag, _, b = numbers(module)
    weights = np.random.default_rng(2).normal(size=(40, N_COMPONENTS))
    codes = module.encode(torch.tensor(X)).dense()
    (codes * torch.tensor(weights)).sum().backward()
    linear = (X - b) @ W.T
    flowing = weights * (linear + b_gate > 0) * (np.exp(r) * linear + b_mag > 0)
    activation = module.activation
    np.testing.assert_allclose(module.encoder.bias.grad, 0, atol=1e-12)
    np.testing.assert_allclose(activation.magnitude_bias.grad, flowing.sum(0), atol=1e-12)
    np.testing.assert_allclose(
        activation.log_scale.grad, (flowing * np.exp(r) * linear).sum(0), atol=1e-12
    )
    np.testing.assert_allclose(
        module.encoder.weight.grad, (flowing * np.exp(r)).T @ (X - b), atol=1e-12
    )


def test_gates_give_the_magnitudes_no_gradient(module):
    codes = module.encode(torch.tensor(X))
    codes.gates.component_sums.sum().backward()
    _, b_gate, _, _, _, b = numbers(module)
    is_open = (X - b) @ numbers(module)[0].T + b_gate > 0
    assert module.activation.log_scale.grad is None or not module.activation.log_scale.grad.any()
    np.testing.assert_allclose(module.encoder.bias.grad, is_open.sum(0))
