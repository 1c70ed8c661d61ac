"""Sums of squares against double precision."""

import pytest
import torch

from sklearn_aensae.kernels import (
    DenseCodes,
    dense_relu_encode,
    mean_squared_error,
    nested_squared_error,
)
from sklearn_aensae.kernels.square_sum import square_sum

# What one sum over all entries of such a tensor loses on a CPU is 6e-5.
SHAPE, RTOL = (4096, 512), 1e-6


@pytest.fixture(scope="module")
def large():
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))


def exact(tensor):
    return tensor.double().square().sum()


def test_single_precision_keeps_its_digits(large):
    for tensor in (large, large.flatten()[:-7], large.T):
        torch.testing.assert_close(square_sum(tensor).double(), exact(tensor), rtol=RTOL, atol=0)


def test_so_do_the_errors_and_the_codes(large):
    zeros = torch.zeros_like(large)
    nested = nested_squared_error(large[None], zeros[0], zeros, [1.0], detached=False)
    for error in (mean_squared_error(large, zeros), nested):
        wanted = exact(large) / large.numel()
        torch.testing.assert_close(error.double(), wanted, rtol=RTOL, atol=0)
    # Blocks of 256 rows: the other way about, they are long.
    values, _, squares, _ = dense_relu_encode(
        large[:512], large, large.new_zeros(len(large)), zeros[0]
    )
    for ours in (squares, DenseCodes(values).square_sum):
        torch.testing.assert_close(ours.double(), exact(values), rtol=RTOL, atol=0)


@pytest.mark.parametrize("n", [0, 1, 1023, 1024, 1025, 4096])
def test_value_and_gradient_are_those_of_plain_autograd(n):
    x = torch.randn(n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x.requires_grad_()
    ours, plain = square_sum(x), x.square().sum()
    torch.testing.assert_close(ours, plain, rtol=1e-12, atol=0)
    (mine,), (theirs,) = (torch.autograd.grad(-0.7 * s, x) for s in (ours, plain))
    torch.testing.assert_close(mine, theirs, rtol=1e-15, atol=0)
