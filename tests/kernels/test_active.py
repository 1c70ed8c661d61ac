"""A step with a fixed number of codes per row needs neither a value nor a size from the device."""

import pytest
import torch

from sklearn_aensae.kernels import (
    ActiveCodes,
    active_encode,
    mean_squared_error,
    products,
    select_top,
)

N_ROWS, N_FEATURES, N_COMPONENTS, K = 9, 20, 4096, 6


class Shapes:
    """Sparse products that know only what shape their results have."""

    def product(self, values, columns, row_starts, b, lend):
        return lend((len(row_starts) - 1, b.shape[1]))

    def sampled_product(self, columns, row_starts, a, b):
        return a.new_empty(len(columns))


@pytest.mark.parametrize("n_candidates", [None, 100])
def test_a_step_runs_without_data(n_candidates, monkeypatch):
    # Tensors on "meta" have shapes and no values: whatever reads one fails.
    monkeypatch.setitem(products._by_device_type, "meta", Shapes())
    shapes = [(N_ROWS, N_FEATURES), (N_COMPONENTS, N_FEATURES), (N_COMPONENTS,), (N_FEATURES,)]
    leaves = [torch.empty(shape, device="meta", requires_grad=True) for shape in shapes]
    atoms = torch.empty(N_COMPONENTS, N_FEATURES, device="meta", requires_grad=True)
    subset = None if n_candidates is None else torch.arange(n_candidates, device="meta")
    values, pattern = active_encode(*leaves, lambda block: select_top(block, K), subset=subset)
    assert values.shape == (N_ROWS * K,)
    codes = ActiveCodes(torch.relu(values), pattern)
    loss = mean_squared_error(codes.decode(atoms), leaves[0].detach()) + codes.square_sum
    loss = loss + codes.row_sums().mean() + codes.component_sums.square().mean()
    loss.backward()
    assert codes.firing_counts.shape == (N_COMPONENTS,)
    for leaf in (*leaves, atoms):
        assert leaf.grad.shape == leaf.shape


def test_the_device_without_data_refuses_reads():
    with pytest.raises(RuntimeError, match="meta tensors"):
        torch.empty(3, device="meta").sum().item()
    with pytest.raises(NotImplementedError, match="nonzero"):
        torch.empty(3, device="meta").nonzero()
