"""Ghost gradients against numpy, and what they must not touch."""

import numpy as np
import pytest
import torch

from sklearn_aensae.dead_features import Ghost
from sklearn_aensae.modules import Autoencoder
from sklearn_aensae.modules.activations import ReLU
from sklearn_aensae.modules.decoders import LinearDecoder
from sklearn_aensae.modules.encoder import LinearEncoder
from sklearn_aensae.modules.initialization import initialize_
from sklearn_aensae.testing import count_host_reads

DEAD = torch.tensor([2, 5, 6])
ALIVE = [0, 1, 3, 4, 7]


@pytest.fixture
def case():
    """A module with dead components whose pre-codes are negative on every row, and its rows."""
    module = Autoencoder(LinearEncoder(4, 8), ReLU(), LinearDecoder(4, 8)).double()
    x = torch.randn(30, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    initialize_(module, "data", x, torch.Generator().manual_seed(0))
    module.tracker.window = 100
    with torch.no_grad():
        module.encoder.bias[DEAD] = -9
    module.tracker.samples_since_fired[DEAD] = 100
    return module, x


def naive(module, x, pre_codes):
    """Value up to its last factor, and gradients of the whole by hand."""
    D = module.decoder.atoms.detach().numpy()[DEAD]
    error = (x - module(x).reconstruction).detach().numpy()
    ghosts = np.exp(pre_codes) @ D
    scale = np.linalg.norm(error, axis=1) / (2 * np.linalg.norm(ghosts, axis=1))
    difference = scale[:, None] * ghosts - error
    factor = (error**2).mean() / (difference**2).mean()
    flowing = factor * 2 / error.size * scale[:, None] * difference
    to_atoms = np.exp(pre_codes).T @ flowing
    to_pre_codes = np.exp(pre_codes) * (flowing @ D.T)
    centred = (x - module.decoder.bias).detach().numpy()
    return (error**2).mean(), to_pre_codes.T @ centred, to_pre_codes.sum(0), to_atoms


@pytest.mark.parametrize("density", [0.0, 1.0], ids=["active", "dense"])
def test_against_numpy(case, density):
    module, x = case
    module.activation.density = density
    output = module(x)
    value = Ghost()(x, output, module)
    value.backward()
    centred = x - module.decoder.bias
    pre_codes = centred @ module.encoder.weight[DEAD].T + module.encoder.bias[DEAD]
    expected, for_weight, for_bias, for_atoms = naive(module, x, pre_codes.detach().numpy())
    assert value.item() == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(module.encoder.weight.grad[DEAD], for_weight, atol=1e-12)
    np.testing.assert_allclose(module.encoder.bias.grad[DEAD], for_bias, atol=1e-12)
    np.testing.assert_allclose(module.decoder.atoms.grad[DEAD], for_atoms, atol=1e-12)
    assert np.abs(for_bias).min() > 1e-6
    # Nothing else moves: neither the living nor b.
    for parameter in (module.encoder.weight, module.encoder.bias, module.decoder.atoms):
        assert not parameter.grad[ALIVE].any()
    assert module.decoder.bias.grad is None


def test_zero_while_nothing_is_dead(case):
    module, x = case
    module.tracker.samples_since_fired.zero_()
    value = Ghost()(x, module(x), module)
    assert value.item() == 0
    assert not value.requires_grad


@pytest.mark.parametrize("bias", [-1e6, -800.0, 800.0, 1e6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_exponential_overflows_or_vanishes(case, bias, dtype):
    module, x = case
    output = module(x)
    expected = (x - output.reconstruction).square().mean().item()
    module.tracker.samples_since_fired[7] = 0
    with torch.no_grad():
        module.encoder.bias[DEAD] = bias
    module, x = module.to(dtype), x.to(dtype)
    output = output._replace(reconstruction=output.reconstruction.to(dtype))
    value = Ghost()(x, output, module)
    value.backward()
    assert value.item() == pytest.approx(expected, rel=1e-5)
    gradient = module.encoder.bias.grad[DEAD]
    assert bool(gradient.isfinite().all())
    assert gradient.abs().max() > 1e-6


def test_a_perfect_reconstruction_leaves_nothing_to_learn(case):
    module, x = case
    value = Ghost()(x, module(x)._replace(reconstruction=x.clone()), module)
    value.backward()
    assert value.item() == 0
    assert not module.encoder.weight.grad.any()


def test_a_step_reads_nothing_from_the_device(case):
    module, x = case
    term, output = Ghost(), module(x)
    term(x, output, module)
    with count_host_reads() as counter:
        term(x, output, module).backward()
    assert counter.n_reads == 0
