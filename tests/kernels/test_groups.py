"""All groups at once: their running sums against one dense product for each prefix."""

import numpy as np
import pytest
import torch
from helpers import from_slots

from sklearn_aensae.kernels import (
    ActiveCodes,
    DenseCodes,
    Pattern,
    active_decode,
    group_reconstructions,
)
from sklearn_aensae.testing import count_host_reads

N_ROWS, N_COMPONENTS, N_FEATURES = 7, 12, 5
BOUNDS = {
    "one level": [12],
    "groups": [2, 3, 7, 12],
    "nothing active in a group": [1, 2, 12],
    "a level each": list(range(1, 13)),
}


def make_case(kind):
    """Codes that are leaves of the graph, atoms, and the dense codes."""
    generator = torch.Generator().manual_seed(0)
    atoms = torch.randn(N_COMPONENTS, N_FEATURES, generator=generator, dtype=torch.float64)
    atoms.requires_grad_()
    if kind == "fixed number per row":
        values = torch.rand(N_ROWS, 4, generator=generator, dtype=torch.float64)
        values[2] = 0  # entries that hold nothing
        columns = torch.rand(N_ROWS, N_COMPONENTS, generator=generator).argsort(1)[:, :4]
        pattern = from_slots(values, columns, N_COMPONENTS).pattern
        values = values.flatten()
    else:
        dense = torch.rand(N_ROWS, N_COMPONENTS, generator=generator, dtype=torch.float64)
        dense = torch.where(dense > 0.6, dense, 0.0)
        dense[0] = dense[4] = dense[:, 1] = 0
        if kind == "dense":
            dense.requires_grad_()
            return DenseCodes(dense), dense, atoms
        rows, columns = dense.nonzero(as_tuple=True)
        starts = torch.cat([torch.zeros(1), rows.bincount(minlength=N_ROWS).cumsum(0)]).int()
        values, pattern = dense[rows, columns], Pattern(columns.int(), starts, N_COMPONENTS)
    values.requires_grad_()
    return ActiveCodes(values, pattern), values, atoms


def running_sums(codes, atoms, bounds):
    return group_reconstructions(codes, atoms, bounds).cumsum(0)


KINDS = ["dense", "fixed number per row", "any number per row"]
every_case = pytest.mark.parametrize("kind", KINDS)
every_bounds = pytest.mark.parametrize("bounds", BOUNDS.values(), ids=BOUNDS.keys())


@every_case
@every_bounds
def test_each_level_is_a_product_of_the_first_components(kind, bounds):
    codes, _, atoms = make_case(kind)
    found = running_sums(codes, atoms, bounds).detach().numpy()
    dense, rows = codes.dense().detach().numpy(), atoms.detach().numpy()
    assert found.shape == (len(bounds), N_ROWS, N_FEATURES)
    for level, bound in enumerate(bounds):
        np.testing.assert_allclose(found[level], dense[:, :bound] @ rows[:bound], atol=1e-12)


@every_case
@every_bounds
def test_gradients_equal_those_of_plain_autograd(kind, bounds):
    codes, values, atoms = make_case(kind)
    weights = torch.rand(
        len(bounds), N_ROWS, N_FEATURES, generator=torch.Generator().manual_seed(1)
    )
    loss = (running_sums(codes, atoms, bounds) * weights).square().sum()
    found = torch.autograd.grad(loss, [values, atoms])
    dense = codes.dense()
    prefixes = torch.stack([dense[:, :bound] @ atoms[:bound] for bound in bounds])
    expected = torch.autograd.grad((prefixes * weights).square().sum(), [values, atoms])
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@every_case
def test_components_further_out_have_no_gradient_at_all(kind):
    bounds = BOUNDS["groups"]
    for level, bound in enumerate(bounds):
        codes, values, atoms = make_case(kind)
        running_sums(codes, atoms, bounds)[level].square().sum().backward()
        gradient = values.grad
        if kind != "dense":
            gradient = ActiveCodes(gradient, codes.pattern).dense()
        assert bool((atoms.grad[bound:] == 0).all())
        assert bool((gradient[:, bound:] == 0).all())
        assert bool((atoms.grad[:bound] != 0).any())


def test_one_level_is_the_plain_product_to_the_last_bit():
    codes, _, atoms = make_case("fixed number per row")
    (found,) = running_sums(codes, atoms, [N_COMPONENTS])
    assert torch.equal(found, active_decode(codes.values, atoms, codes.pattern))


@every_case
def test_nothing_is_read_from_the_device(kind):
    codes, _, atoms = make_case(kind)
    with count_host_reads() as counter:
        running_sums(codes, atoms, BOUNDS["groups"]).sum().backward()
    assert counter.n_reads == 0
