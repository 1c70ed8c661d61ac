"""Terms that read gates, and the tanh penalty, against numpy in both representations."""

import numpy as np
import pytest
import torch
from helpers import from_slots

from sklearn_aensae.kernels import ActiveCodes, DenseCodes
from sklearn_aensae.modules import Autoencoder, SAEOutput
from sklearn_aensae.modules.activations import Gated
from sklearn_aensae.modules.decoders import LinearDecoder
from sklearn_aensae.modules.encoder import LinearEncoder
from sklearn_aensae.modules.initialization import initialize_
from sklearn_aensae.objective.penalties import GateSum, Tanh, TargetL0
from sklearn_aensae.objective.reconstruction import GateReconstruction


@pytest.fixture(params=["active", "dense"])
def case(request):
    """Output with codes and gates, and both as arrays."""
    generator = torch.Generator().manual_seed(0)
    values, gates = torch.rand(2, 18, generator=generator, dtype=torch.float64) + 0.1
    indices = torch.rand(6, 8, generator=generator).argsort(1)[:, :3]
    pattern = from_slots(values.view(6, 3), indices, 8).pattern
    codes = ActiveCodes(values, pattern, gates)
    dense, dense_gates = codes.dense(), codes.gates.dense()
    if request.param == "dense":
        codes = DenseCodes(dense, gates=dense_gates)
    return SAEOutput(None, codes), dense.numpy(), dense_gates.numpy()


def test_gate_sum_and_target(case):
    output, _, gates = case
    mean = gates.sum(1).mean()
    assert float(GateSum()(None, output, None)) == pytest.approx(mean)
    for target in (0.3 * mean, mean / 1.09, mean, mean / 0.91, 3 * mean):
        away = abs(mean / target - 1)
        expected = away**2 if away < 0.1 else 0.2 * away - 0.01
        found = float(TargetL0(target, 1.0)(None, output, None))
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-20)


def test_tanh_is_between_l1_and_l0(case):
    output, codes, _ = case
    values = {c: float(Tanh(c, 1.0)(None, output, None)) for c in (1e-6, 4.0, 1e6)}
    assert values[4.0] == pytest.approx(np.tanh(4 * codes).sum(1).mean())
    assert values[1e-6] == pytest.approx(1e-6 * codes.sum(1).mean())
    assert values[1e6] == (codes > 0).sum(1).mean()
    assert values[4.0] <= 8


def make_module(density):
    module = Autoencoder(LinearEncoder(4, 8), Gated(8), LinearDecoder(4, 8)).double()
    sample = torch.randn(30, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    initialize_(module, "data", sample, torch.Generator().manual_seed(0))
    with torch.no_grad():
        module.encoder.bias.normal_(generator=torch.Generator().manual_seed(2))
    module.activation.density = density
    return module, sample


@pytest.mark.parametrize("density", [0.0, 1.0], ids=["active", "dense"])
def test_gate_reconstruction_against_numpy(density):
    module, x = make_module(density)
    output = module(x)
    assert output.codes.is_sparse == (density == 0)
    value = GateReconstruction()(x, output, module)
    W, c, D, b = (
        p.detach().numpy()
        for p in (
            module.encoder.weight,
            module.encoder.bias,
            module.decoder.atoms,
            module.decoder.bias,
        )
    )
    x = x.numpy()
    gates = np.maximum((x - b) @ W.T + c, 0)
    error = gates @ D + b - x
    assert value.item() == pytest.approx((error**2).mean(), rel=1e-10)
    value.backward()
    flowing = (2 / error.size) * (error @ D.T) * (gates > 0)
    assert module.decoder.atoms.grad is None or not module.decoder.atoms.grad.any()
    np.testing.assert_allclose(module.encoder.weight.grad, flowing.T @ (x - b), atol=1e-12)
    np.testing.assert_allclose(module.encoder.bias.grad, flowing.sum(0), atol=1e-12)
    # Only by way of the encoder, which subtracts it.
    np.testing.assert_allclose(module.decoder.bias.grad, -flowing.sum(0) @ W, atol=1e-12)
