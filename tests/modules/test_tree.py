"""The tree's rule against a loop that is obviously right."""

import numpy as np
import pytest
import torch
from helpers import codes_of

from sklearn_aensae import _devices
from sklearn_aensae.modules.activations import TopK, Tree

BOUNDS, LAYER_K, TAU = [3, 8, 12], [2, 2, 1], 0.3
PARENTS = [-1, -1, -1, 0, 1, 1, 2, -1, 3, 0, 7, 4]


def naive_tree(pre_codes, parents=PARENTS, bounds=BOUNDS, layer_k=LAYER_K, tau=TAU):
    """Codes of all rows, one entry after another."""
    codes = np.zeros_like(pre_codes)
    for row, code in zip(pre_codes, codes, strict=True):
        start = 0
        for stop, k in zip(bounds, layer_k, strict=True):
            allowed = [i for i in range(start, stop) if parents[i] < 0 or code[parents[i]] > tau]
            for i in sorted(allowed, key=lambda i: -row[i])[:k]:
                code[i] = max(row[i], 0)
            start = stop
    return codes


def make_tree(parents=PARENTS, bounds=BOUNDS, layer_k=LAYER_K, tau=TAU):
    tree = Tree(bounds, layer_k, tau)
    tree.parents.copy_(torch.tensor(parents))
    return tree


def make_pre_codes(n_rows=60, n_components=12, seed=0):
    pre_codes = torch.randn(n_rows, n_components, generator=torch.Generator().manual_seed(seed))
    pre_codes[0] = -1  # nothing to keep
    pre_codes[1] = 1  # ties, and more than there is room for
    pre_codes[2:20] = pre_codes[2:20].abs()
    return pre_codes


@pytest.fixture(params=["host", "device"])
def where(request, monkeypatch):
    """On the CPU, and as where tensors must not be looked at."""
    if request.param == "device":
        monkeypatch.setattr(_devices, "reads_are_free", lambda device: False)
    return request.param


@pytest.mark.parametrize("tau", [0.0, TAU, 1.0])
def test_against_a_loop(where, tau):
    tree, pre_codes = make_tree(tau=tau), make_pre_codes()
    expected = naive_tree(pre_codes.numpy(), tau=tau)
    codes = codes_of(tree, pre_codes)
    found = codes.dense().numpy()
    # Row 1 is all ties: any choice is right that the rule allows.
    np.testing.assert_array_equal(np.delete(found, 1, 0), np.delete(expected, 1, 0))
    assert [part.sum() for part in np.split(found[1] > 0, BOUNDS[:-1])] == (
        LAYER_K if tau < 1 else [2, 1, 0]
    )
    if where == "device":
        assert codes.values.numel() == 60 * sum(LAYER_K)
    else:
        assert bool((codes.values > 0).all())
    for row, code in zip(pre_codes, found, strict=True):
        np.testing.assert_array_equal(codes_of(tree, row[None]).dense()[0], code)


def test_one_layer_is_topk(where):
    pre_codes = make_pre_codes()
    tree = Tree([12], [4], tau=0.3)
    tree.initialize_(torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(
        codes_of(tree, pre_codes).dense(), codes_of(TopK(4), pre_codes).dense()
    )


def test_wide_layers(where):
    """As wide as it takes for the selection to go by levels, and for several blocks of rows."""
    rng = np.random.default_rng(0)
    bounds = [256, 1024]
    parents = [-1] * 256 + rng.integers(-1, 256, 768).tolist()
    tree = make_tree(parents, bounds, [4, 6], tau=0.5)
    pre_codes = make_pre_codes(300, 1024)[2:]
    found = codes_of(tree, pre_codes).dense().numpy()
    expected = naive_tree(pre_codes.numpy(), parents, bounds, [4, 6], 0.5)
    np.testing.assert_array_equal(found, expected)


def test_a_child_fires_only_with_its_parent_and_layers_keep_to_their_budget(where):
    codes = codes_of(make_tree(), make_pre_codes(500)).dense().numpy()
    for child, parent in enumerate(PARENTS):
        if parent >= 0:
            assert (codes[codes[:, child] > 0, parent] > TAU).all()
            assert (codes[:, child] > 0).any()
    for layer, k in zip(np.split(codes, BOUNDS[:-1], axis=1), LAYER_K, strict=True):
        assert (layer > 0).sum(axis=1).max() == k


def test_gradient_flows_through_kept_codes_only(where):
    pre_codes = make_pre_codes().requires_grad_()
    codes = codes_of(make_tree(), pre_codes)
    codes.row_sums().sum().backward()
    np.testing.assert_array_equal(pre_codes.grad, codes.dense().detach() > 0)


def test_has_active_parent(where):
    tree, pre_codes = make_tree(), make_pre_codes()
    codes = codes_of(tree, pre_codes)
    asked = [11, 0, 5, 7, 8]
    found = tree.has_active_parent(codes, torch.tensor(asked))
    dense = codes.dense().numpy()
    for column, component in zip(found.T, asked, strict=True):
        parent = PARENTS[component]
        expected = np.ones(60, bool) if parent < 0 else dense[:, parent] > TAU
        np.testing.assert_array_equal(column, expected)


def test_parents_are_drawn_from_earlier_layers_and_the_root():
    tree = Tree([3, 600, 2000], [1, 1, 1], 0.1)
    tree.initialize_(torch.Generator().manual_seed(0))
    assert set(tree.parents[:3].tolist()) == {-1}
    assert set(tree.parents[3:600].tolist()) == {-1, 0, 1, 2}
    last = tree.parents[600:]
    assert (int(last.min()), int(last.max())) == (-1, 599)
    again = Tree([3, 600, 2000], [1, 1, 1], 0.1)
    again.initialize_(torch.Generator().manual_seed(0))
    assert bool((again.parents == tree.parents).all())
    other = Tree([3, 600, 2000], [1, 1, 1], 0.1)
    other.initialize_(torch.Generator().manual_seed(1))
    assert not bool((other.parents == tree.parents).all())


def test_repr_names_the_layers():
    assert repr(make_tree()) == "Tree(bounds=[3, 8, 12], layer_k=[2, 2, 1], tau=0.3)"
