"""The errors of all levels in one pass, against plain autograd."""

import pytest
import torch
from naive import nested_squared_error as naive

from sklearn_aensae.kernels import Workspace, mean_squared_error, nested_squared_error

WEIGHTS = [0.3, 2.0, 1.0]


def make_case(n_levels):
    generator = torch.Generator().manual_seed(0)
    shape = (n_levels, 6, 4)
    groups = torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(4, generator=generator, dtype=torch.float64, requires_grad=True)
    return groups, bias, torch.randn(6, 4, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("factor", [1.0, -0.7])
def test_value_and_gradients_are_those_of_plain_autograd(detached, factor):
    groups, bias, x = make_case(3)
    ours = nested_squared_error(groups, bias, x, WEIGHTS, detached=detached)
    theirs = naive(groups, bias, x, WEIGHTS, detached=detached)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=0)
    found = torch.autograd.grad(factor * ours, [groups, bias])
    expected = torch.autograd.grad(factor * theirs, [groups, bias])
    for mine, plain in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, plain, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("detached", [False, True])
def test_one_level_is_the_mean_squared_error_to_the_last_bit(detached):
    groups, bias, x = make_case(1)
    ours = nested_squared_error(groups, bias, x, [1.0], detached=detached)
    plain = mean_squared_error(groups[0] + bias, x)
    assert torch.equal(ours, plain)
    found = torch.autograd.grad(ours, [groups, bias])
    for mine, theirs in zip(found, torch.autograd.grad(plain, [groups, bias]), strict=True):
        assert torch.equal(mine, theirs)


def test_memory_is_that_of_the_step_before():
    workspace, pointers = Workspace(), []
    for _ in range(2):
        groups, bias, x = make_case(3)
        with workspace.step():
            error = nested_squared_error(groups, bias, x, WEIGHTS, detached=False)
            pointers.append(error.grad_fn.saved_tensors[0].data_ptr())
            error.backward()
    assert pointers[0] == pointers[1]
