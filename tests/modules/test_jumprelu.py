"""JumpReLU: its forward, and the gradient that stands in for that of its step."""

import numpy as np
import pytest
import torch
from helpers import codes_of

from sklearn_aensae import _devices
from sklearn_aensae.modules.activations import JumpReLU

T, EPS = 1.0, 0.5
# Below the window, in its lower half, in its upper half, above it.
PRE_CODES = torch.tensor([[0.2, 0.9, 1.1, 3.0], [-2.0, 0.8, 0.9, 1.2]], dtype=torch.float64)


def make(n_components=4, threshold=T, bandwidth=EPS, ste_to_input=False):
    activation = JumpReLU(n_components, bandwidth, threshold, ste_to_input).double()
    with torch.no_grad():
        activation.log_threshold.fill_(np.log(threshold))
    return activation


@pytest.fixture(params=[0.0, 1.0], ids=["active", "dense"])
def density(request):
    return request.param


def gradients(activation, pre_codes, density, read):
    """Gradients of weighted codes or gates, for pre-codes and log thresholds."""
    activation.density = density
    pre_codes = pre_codes.clone().requires_grad_()
    codes = codes_of(activation, pre_codes)
    assert codes.is_sparse == (density == 0)
    weights = torch.arange(1.0, 1 + pre_codes.numel(), dtype=torch.float64)
    weights = weights.view_as(pre_codes)
    (read(codes).dense() * weights).sum().backward()
    zeros = torch.zeros_like(pre_codes)
    for_input = zeros if pre_codes.grad is None else pre_codes.grad
    return weights, for_input, activation.log_threshold.grad


@pytest.mark.parametrize("ste_to_input", [False, True])
def test_gradient_of_the_step(density, ste_to_input):
    weights, for_input, for_threshold = gradients(
        make(ste_to_input=ste_to_input), PRE_CODES, density, lambda codes: codes.gates
    )
    in_window = (PRE_CODES - T).abs() < EPS / 2
    slope = in_window / EPS
    # With t = exp(l), dt/dl = t.
    torch.testing.assert_close(for_threshold, -(slope * weights).sum(0) * T)
    torch.testing.assert_close(for_input, slope * weights * ste_to_input)
    assert in_window.any(0).tolist() == [False, True, True, True]


@pytest.mark.parametrize("threshold", [1.0, 0.9])
@pytest.mark.parametrize("ste_to_input", [False, True])
def test_gradient_of_the_codes(density, threshold, ste_to_input):
    weights, for_input, for_threshold = gradients(
        make(threshold=threshold, ste_to_input=ste_to_input), PRE_CODES, density, lambda c: c
    )
    slope = threshold / EPS * ((PRE_CODES - threshold).abs() < EPS / 2)
    torch.testing.assert_close(for_threshold, -(slope * weights).sum(0) * threshold)
    expected = weights * (threshold < PRE_CODES) + slope * weights * ste_to_input
    torch.testing.assert_close(for_input, expected)


def test_no_code_lies_between_zero_and_its_threshold(density):
    activation = make(50)
    with torch.no_grad():
        activation.log_threshold.copy_(torch.linspace(-3, 1, 50))
    activation.density = density
    pre_codes = 2 * torch.randn(
        400, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    codes = codes_of(activation, pre_codes).dense().detach()
    threshold = activation.threshold.detach()
    assert not ((codes > 0) & (codes <= threshold)).any()
    assert not (codes < 0).any()
    expected = np.where(pre_codes.numpy() > threshold.numpy(), pre_codes.numpy(), 0)
    np.testing.assert_array_equal(codes, expected)
    active = codes_of(activation, pre_codes).gates.dense().detach()
    np.testing.assert_array_equal(active, expected > 0)


def test_a_threshold_near_zero_is_relu(density):
    activation = make(threshold=1e-30, bandwidth=1e-30)
    activation.density = density
    pre_codes = torch.randn(30, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(
        codes_of(activation, pre_codes).dense().detach(), torch.relu(pre_codes)
    )


def test_active_are_the_entries_with_a_code_or_a_gradient():
    activation = make()
    activation.density = 0.0
    codes = codes_of(activation, PRE_CODES)
    columns = codes.pattern.columns.tolist()
    assert codes.pattern.row_starts.tolist() == [0, 3, 6]
    assert columns == [1, 2, 3, 1, 2, 3]
    assert activation.density == 6 / 8
    activation.density = 1.0
    codes_of(activation, PRE_CODES)
    assert activation.density == 6 / 8


def test_fixed_capacity_has_room_for_gradients_without_a_code(monkeypatch):
    """Many pre-codes just below their threshold: they need entries, and give none a code."""
    monkeypatch.setattr(_devices, "reads_are_free", lambda device: False)
    pre_codes = torch.full((20, 128), -1.0, dtype=torch.float64)
    pre_codes[:, :12] = 0.9
    pre_codes[:, 12] = 2.0
    activation = make(128)
    dense = codes_of(activation, pre_codes)
    assert not dense.is_sparse
    assert dense.firing_counts.sum() == 20
    monkeypatch.setattr("sklearn_aensae.modules.activations.elementwise.BREAK_EVEN", 0.5)
    activation.adapt()
    assert activation.capacity == 24
    codes = codes_of(activation, pre_codes)
    assert codes.is_sparse
    np.testing.assert_array_equal(codes.dense().detach(), dense.dense().detach())
    codes.gates.component_sums.sum().backward()
    expected = torch.where(torch.arange(128) < 12, -20 * T / EPS, 0.0).double()
    torch.testing.assert_close(activation.log_threshold.grad, expected)
    activation.adapt()
    assert activation.capacity == 24


def test_repr_names_the_bandwidth():
    assert repr(make()) == "JumpReLU(bandwidth=0.5, ste_to_input=False)"
