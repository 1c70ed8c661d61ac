"""Nested errors and penalties against numpy, on codes in both representations."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import from_slots

from sklearn_aensae.kernels import DenseCodes
from sklearn_aensae.modules import SAEOutput
from sklearn_aensae.modules.decoders import LinearDecoder
from sklearn_aensae.objective.penalties import L1, NestedL1
from sklearn_aensae.objective.reconstruction import MSE, Nested

BOUNDS, WEIGHTS = [2, 5, 8], [0.25, 0.5, 1.0]


@pytest.fixture(params=["active", "dense"])
def case(request):
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(6, 3, generator=generator, dtype=torch.float64) + 0.1
    indices = torch.rand(6, 8, generator=generator).argsort(1)[:, :3]
    codes = from_slots(values.requires_grad_(), indices, 8)
    if request.param == "dense":
        codes = DenseCodes(codes.dense())
    decoder = LinearDecoder(4, 8).double()
    with torch.no_grad():
        decoder.atoms.normal_(generator=generator)
        decoder.bias.normal_(generator=generator)
    x = torch.randn(6, 4, generator=generator, dtype=torch.float64)
    return x, SAEOutput(decoder(codes), codes), SimpleNamespace(decoder=decoder), values


def errors(x, output, module):
    """Mean squared error of each level, by plain numpy."""
    codes = output.codes.dense().detach().numpy()
    atoms, bias = (p.detach().numpy() for p in (module.decoder.atoms, module.decoder.bias))
    return [((x.numpy() - bias - codes[:, :m] @ atoms[:m]) ** 2).mean() for m in BOUNDS]


@pytest.mark.parametrize("detached", [False, True])
def test_nested_is_the_weighted_sum_of_the_errors_of_levels(case, detached):
    x, output, module, _ = case
    expected = np.dot(WEIGHTS, errors(x, output, module))
    term = Nested(BOUNDS, WEIGHTS, detached=detached).double()
    assert float(term(x, output, module).detach()) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("detached", [False, True])
def test_one_level_is_the_mean_squared_error_to_the_last_bit(case, detached):
    x, output, module, values = case
    parameters = [values, module.decoder.atoms, module.decoder.bias]
    nested = Nested([8], [1.0], detached=detached)(x, output, module)
    plain = MSE()(x, output, module)
    assert torch.equal(nested, plain)
    by_nested = torch.autograd.grad(nested, parameters, retain_graph=True)
    for ours, theirs in zip(by_nested, torch.autograd.grad(plain, parameters), strict=True):
        assert torch.equal(ours, theirs)


def test_a_level_without_weight_is_left_out(case):
    x, output, module, _ = case
    term = Nested(BOUNDS, [0.25, 0.0, 1.0])
    assert (term.bounds, term.level_weights) == ([2, 8], [0.25, 1.0])
    inner, _, outer = errors(x, output, module)
    assert float(term(x, output, module).detach()) == pytest.approx(0.25 * inner + outer, rel=1e-12)


def gradients_by_level(x, output, module, values):
    """Gradients of the error of each level alone, by plain autograd."""
    dense, decoder = output.codes.dense(), module.decoder
    parameters = [decoder.atoms, values, decoder.bias]
    levels = [dense[:, :m] @ decoder.atoms[:m] + decoder.bias - x for m in BOUNDS]
    return [torch.autograd.grad(e.square().mean(), parameters, retain_graph=True) for e in levels]


def test_each_level_pulls_at_all_of_its_components_or_detached_at_its_own(case):
    x, output, module, values = case
    each = gradients_by_level(x, output, module, values)
    parameters = [module.decoder.atoms, values, module.decoder.bias]
    together, detached = (
        torch.autograd.grad(
            Nested(BOUNDS, WEIGHTS, detached=flag)(x, output, module), parameters, retain_graph=True
        )
        for flag in (False, True)
    )
    groups = [slice(0, 2), slice(2, 5), slice(5, 8)]
    for i, group in enumerate(groups):
        alone = WEIGHTS[i] * each[i][0][group]
        summed = sum(w * gradient[0][group] for w, gradient in zip(WEIGHTS, each, strict=True))
        torch.testing.assert_close(detached[0][group], alone)
        torch.testing.assert_close(together[0][group], summed)
    assert bool((detached[0][:5] != together[0][:5]).any())
    # The bias belongs to all levels, detached or not.
    bias = sum(w * gradient[2] for w, gradient in zip(WEIGHTS, each, strict=True))
    torch.testing.assert_close(detached[2], bias)
    torch.testing.assert_close(together[2], bias)


def test_nested_l1_is_the_weighted_sum_of_the_norms_of_levels(case):
    x, output, module, _ = case
    dense = output.codes.dense().detach().numpy()
    norms = [dense[:, :m].sum(1).mean() for m in BOUNDS]
    value = NestedL1(BOUNDS, WEIGHTS).double()(x, output, module)
    assert float(value.detach()) == pytest.approx(np.dot(WEIGHTS, norms), rel=1e-12)
    own = [dense[:, a:b].sum(1).mean() for a, b in zip([0, *BOUNDS], BOUNDS, strict=False)]
    value = NestedL1(BOUNDS, WEIGHTS, detached=True).double()(x, output, module)
    assert float(value.detach()) == pytest.approx(np.dot(WEIGHTS, own), rel=1e-12)


@pytest.mark.parametrize("detached", [False, True])
def test_nested_l1_of_one_level_is_l1(case, detached):
    x, output, module, _ = case
    expected = float(L1()(x, output, module).detach())
    for bounds, weights in (([8], [1.0]), (BOUNDS, [0.0, 0.0, 1.0])):
        value = NestedL1(bounds, weights, detached=detached).double()(x, output, module)
        assert float(value.detach()) == pytest.approx(expected, rel=1e-12)
