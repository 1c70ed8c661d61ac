"""The pre-activation loss against numpy, and what it is there for."""

import numpy as np
import pytest
import torch

from sklearn_aensae.dead_features import PreActivation
from sklearn_aensae.modules import Autoencoder
from sklearn_aensae.modules.activations import JumpReLU
from sklearn_aensae.modules.decoders import LinearDecoder
from sklearn_aensae.modules.encoder import LinearEncoder
from sklearn_aensae.modules.initialization import initialize_


def make_module():
    activation = JumpReLU(8, 0.2, 0.5, False)
    module = Autoencoder(LinearEncoder(4, 8), activation, LinearDecoder(4, 8)).double()
    sample = torch.randn(30, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    initialize_(module, "data", sample, torch.Generator().manual_seed(0))
    module.tracker.window = 100
    return module, sample


def test_zero_while_nothing_is_dead():
    module, x = make_module()
    assert float(PreActivation(1.0)(x, module(x), module)) == 0


def test_against_numpy_and_its_gradient():
    module, x = make_module()
    output = module(x)
    dead = torch.tensor([2, 5, 6])
    module.tracker.samples_since_fired[dead] = 100
    value = PreActivation(1.0)(x, output, module)
    W, c, t = (
        p.detach().numpy()[dead]
        for p in (module.encoder.weight, module.encoder.bias, module.activation.threshold)
    )
    centred = (x - module.decoder.bias).detach().numpy()
    distance = t - centred @ W.T - c
    assert value.item() == pytest.approx(np.maximum(distance, 0).sum(1).mean(), rel=1e-10)
    value.backward()
    below = (distance > 0) / len(x)
    assert 0 < below.sum() < below.size
    np.testing.assert_allclose(module.encoder.bias.grad[dead], -below.sum(0), atol=1e-12)
    np.testing.assert_allclose(module.encoder.weight.grad[dead], -below.T @ centred, atol=1e-12)
    log_threshold = module.activation.log_threshold.grad
    np.testing.assert_allclose(log_threshold[dead], below.sum(0) * t, atol=1e-12)
    alive = [i for i in range(8) if i not in dead]
    for gradient in (module.encoder.bias.grad, module.encoder.weight.grad, log_threshold):
        assert not gradient[alive].any()
