"""The forward pass against numpy, and the firing counts it keeps."""

import numpy as np
import pytest
import torch

from sklearn_aensae.modules import Autoencoder
from sklearn_aensae.modules.activations import ReLU, TopK
from sklearn_aensae.modules.decoders import FreeDecoder, LinearDecoder
from sklearn_aensae.modules.encoder import LinearEncoder
from sklearn_aensae.modules.initialization import geometric_median, initialize_


def make_module(activation=None, init="paper", sample=None, seed=0):
    module = Autoencoder(LinearEncoder(5, 12), activation or ReLU(), LinearDecoder(5, 12)).double()
    sample = torch.randn(40, 5, dtype=torch.float64) if sample is None else sample
    initialize_(module, init, sample, torch.Generator().manual_seed(seed))
    return module


def test_forward_is_the_formula():
    module = make_module()
    with torch.no_grad():
        module.decoder.bias.copy_(torch.arange(5.0))
    x = torch.randn(7, 5, dtype=torch.float64)
    W, c = module.encoder.weight.detach().numpy(), module.encoder.bias.detach().numpy()
    D, b = module.decoder.atoms.detach().numpy(), module.decoder.bias.detach().numpy()
    codes = np.maximum((x.numpy() - b) @ W.T + c, 0)
    output = module(x)
    np.testing.assert_allclose(output.codes.dense().detach(), codes, atol=1e-12)
    np.testing.assert_allclose(output.reconstruction.detach(), codes @ D + b, atol=1e-12)
    np.testing.assert_allclose(module.encode(x).dense().detach(), codes, atol=1e-12)


def test_bias_gradient_is_that_of_the_formula():
    module = make_module()
    x = torch.randn(7, 5, dtype=torch.float64)
    module(x).reconstruction.square().mean().backward()
    fast = module.decoder.bias.grad.clone()
    module.decoder.bias.grad = None
    pre_codes = (x - module.decoder.bias) @ module.encoder.weight.T + module.encoder.bias
    naive = torch.relu(pre_codes) @ module.decoder.atoms + module.decoder.bias
    naive.square().mean().backward()
    torch.testing.assert_close(fast, module.decoder.bias.grad, rtol=1e-10, atol=1e-12)


def test_constraint_gives_unit_atoms_and_survives_zero():
    decoder = LinearDecoder(5, 12)
    with torch.no_grad():
        decoder.atoms.normal_()
        decoder.atoms[3] = 0
    decoder.constrain_()
    norms = decoder.atoms.norm(dim=1)
    assert norms[3] == 0
    torch.testing.assert_close(norms[torch.arange(12) != 3], torch.ones(11))


@pytest.mark.parametrize("activation", [ReLU(), TopK(3)], ids=["relu", "topk"])
@pytest.mark.parametrize("init", ["data", "data_median"])
def test_initialization_from_data(activation, init):
    sample = torch.randn(500, 5, dtype=torch.float64) + 100
    module = make_module(activation, init, sample)
    centre = sample.mean(0) if init == "data" else geometric_median(sample)
    torch.testing.assert_close(module.decoder.bias.detach(), centre)
    ratio = module.encoder.weight / module.decoder.atoms
    torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio), rtol=1e-8, atol=0)
    # The factor is the best one: the residual is orthogonal to the reconstruction.
    fitted = module.eval()(sample).reconstruction.detach() - centre
    residual = sample - centre - fitted
    assert abs((residual * fitted).sum() / fitted.square().sum()) < 1e-8


def test_geometric_median_of_known_points():
    # With more than half of the points in one place, that place is the median.
    points = torch.tensor([[1.0, 2.0]] * 6 + [[9.0, 9.0], [-5.0, 3.0], [2.0, -8.0]])
    torch.testing.assert_close(
        geometric_median(points), torch.tensor([1.0, 2.0]), atol=1e-3, rtol=0
    )
    square = torch.tensor([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0], [2.0, 2.0]])
    torch.testing.assert_close(geometric_median(square), torch.tensor([1.0, 1.0]))


@pytest.mark.parametrize("init", ["data", "data_median"])
def test_constant_data_can_start(init):
    module = make_module(init=init, sample=torch.ones(10, 5, dtype=torch.float64))
    assert all(bool(p.isfinite().all()) for p in module.parameters())


def test_tracker_counts_firings_and_silence():
    module = make_module(TopK(1))
    module.tracker.window = module.tracker.density_window = 8
    with torch.no_grad():
        module.encoder.weight.zero_()
        module.encoder.bias.copy_(torch.arange(12.0))
    for _ in range(3):
        module.train()(torch.randn(4, 5, dtype=torch.float64))
    tracker = module.tracker
    assert tracker.samples_since_fired.tolist() == [12] * 11 + [0]
    assert tracker.n_seen == 12
    assert tracker.effective_window == 8
    assert tracker.dead().tolist() == [True] * 11 + [False]
    assert tracker.n_density_samples == 12
    assert tracker.density().tolist() == [0] * 11 + [1]
    module.eval()(torch.randn(4, 5, dtype=torch.float64))
    assert tracker.n_seen == 12


def test_tracker_survives_a_state_dict():
    module = make_module(TopK(2))
    module.tracker.window = module.tracker.density_window = 6
    module.train()(torch.randn(10, 5, dtype=torch.float64))
    again = make_module(TopK(2), seed=1)
    again.load_state_dict(module.state_dict())
    assert again.tracker.n_seen == 10
    assert again.tracker.window == 6
    assert again.tracker.density().tolist() == module.tracker.density().tolist()


@pytest.mark.parametrize("kind", ["target", "centred views", "views", "free", "nothing"])
def test_folding_is_the_same_map_in_other_units(kind):
    torch.manual_seed(0)
    factors = torch.tensor([0.5, 0.5, 3.0, 3.0, 3.0], dtype=torch.float64)
    inputs, outputs = {
        "target": (None, torch.tensor(7.0, dtype=torch.float64)),
        "centred views": (factors, factors),
        "views": (factors, factors),
    }.get(kind, (None, None))
    n_outputs = 4 if kind == "target" else 5
    encoder = LinearEncoder(5, 12, is_centred=kind == "centred views")
    skip = torch.nn.Linear(5, n_outputs, bias=False) if kind in {"target", "views"} else None
    make_decoder = FreeDecoder if kind == "free" else LinearDecoder
    module = Autoencoder(encoder, ReLU(), make_decoder(n_outputs, 12), skip).double().eval()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    if encoder.centre is not None:
        encoder.centre.normal_()
    module.decoder.constrain_()
    folded = module.folded(inputs, outputs)
    assert (folded is module) == (kind == "nothing")
    x = torch.randn(9, 5, dtype=torch.float64)
    expected = module(x if inputs is None else x * inputs).reconstruction
    found = folded(x)
    torch.testing.assert_close(
        found.reconstruction, expected if outputs is None else expected / outputs
    )
    codes, decoder = found.codes.dense(), folded.decoder
    skipped = 0 if skip is None else folded.skip(x)
    torch.testing.assert_close(codes @ decoder.atoms + decoder.bias + skipped, found.reconstruction)
    torch.testing.assert_close(decoder.norms(), torch.ones(12, dtype=torch.float64))
