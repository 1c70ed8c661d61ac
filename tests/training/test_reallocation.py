"""Quotas against brute force, capacities against a loop, and who may move."""

from itertools import product

import numpy as np
import pytest
import torch
from helpers import codes_of, from_slots

from sklearn_aensae.modules.activations import Tree
from sklearn_aensae.training import Reallocation
from sklearn_aensae.training.reallocation import gather_, quotas, reallocated


def least_share(capacities, counts):
    """What the quotas maximise: least capacity per child, over parents with children."""
    return min(c / k for c, k in zip(capacities, counts, strict=True) if k)


@pytest.mark.parametrize("seed", range(20))
def test_quotas_equal_brute_force(seed):
    rng = np.random.default_rng(seed)
    n_parents, n_children = rng.integers(1, 5), rng.integers(1, 7)
    capacities = rng.uniform(0.1, 3, n_parents).round(1)
    counts = quotas(capacities, n_children)
    assert counts.sum() == n_children
    options = [c for c in product(range(n_children + 1), repeat=n_parents) if sum(c) == n_children]
    best = max(least_share(capacities, option) for option in options)
    assert least_share(capacities, counts) == pytest.approx(best)


def test_quotas_follow_capacities():
    assert quotas(np.array([3.0, 1.0, 0.0, 2.0]), 12).tolist() == [6, 2, 0, 4]
    assert quotas(np.array([1.0]), 3).tolist() == [3]


def test_only_dead_children_move_from_many_to_few():
    parents = np.array([-1, -1, -1, -1, 0, 0, 1, 1])
    dead = np.array([True, False, True, True, True, False, False, True])
    capacities = np.array([1.0, 1.0, 6.0])  # of the root, 0 and 1: quotas of 1, 1 and 6
    moved = reallocated(parents, capacities, dead, np.random.default_rng(0))
    np.testing.assert_array_equal(moved[~dead], parents[~dead])
    assert np.bincount(moved + 1).tolist() == [1, 1, 6]
    # Of four children of the root it keeps one: that which is alive.
    assert (moved == -1).nonzero()[0].tolist() == [1]


@pytest.mark.parametrize("seed", range(20))
def test_moves_never_overshoot(seed):
    rng = np.random.default_rng(seed)
    parents, dead = rng.integers(-1, 6, 40), rng.random(40) < 0.5
    capacities = rng.uniform(0, 1, 7) * (rng.random(7) < 0.7)
    capacities[0] = 0.5
    moved = reallocated(parents, capacities, dead, np.random.default_rng(1))
    np.testing.assert_array_equal(moved[~dead], parents[~dead])
    before, after = (np.bincount(p + 1, minlength=7) for p in (parents, moved))
    wanted = quotas(capacities, 40)
    assert (np.abs(after - wanted) <= np.abs(before - wanted)).all()
    # What is left to do cannot be done: nobody has too many dead ones, or nobody too few.
    dead_of = np.bincount(moved[dead] + 1, minlength=7)
    assert not (np.any((after > wanted) & (dead_of > 0)) and np.any(after < wanted))
    np.testing.assert_array_equal(
        moved, reallocated(parents, capacities, dead, np.random.default_rng(1))
    )


@pytest.mark.parametrize("capacities", [np.zeros(7), np.full(7, np.nan)])
def test_nothing_moves_where_nothing_is_known(capacities):
    parents = np.array([-1, 0, 5])
    moved = reallocated(parents, capacities, np.ones(3, bool), np.random.default_rng(0))
    np.testing.assert_array_equal(moved, parents)


def test_capacities_against_a_loop():
    tree = Tree([2, 5, 7], [2, 2, 1], tau=0.5)
    rng = np.random.default_rng(0)
    columns = np.stack([rng.permutation(7)[:4] for _ in range(30)])
    values = rng.uniform(-0.5, 2, (30, 4)).astype(np.float32)
    errors = rng.uniform(0, 1, 30).astype(np.float32)
    expected = np.zeros((2, 6))
    for code, column, error in zip(values, columns, errors, strict=True):
        for row, start in enumerate((2, 5)):
            active = [int(c) for v, c in zip(code, column, strict=True) if v > 0.5 and c < start]
            for place in [0, *(1 + c for c in active)]:
                expected[row, place] += error / (1 + len(active))
    codes = from_slots(torch.tensor(values), torch.tensor(columns), 7)
    for _ in range(2):
        gather_(tree, codes, torch.tensor(errors))
    np.testing.assert_allclose(tree.capacities, 2 * expected, rtol=1e-5)
    # Every error is shared out, none twice.
    np.testing.assert_allclose(tree.capacities.sum(1), 2 * errors.sum(), rtol=1e-5)


def test_intervals_double_up_to_ten_thirds():
    reallocation = Reallocation(3, 100, seed=0)
    due = [step for step in range(1, 60) if reallocation.is_due(step)]
    assert due == [3, 9, 19, 29, 39, 49, 59]
    assert [step for step in range(1, 20) if Reallocation(1, 9, 0).is_due(step)] == [
        1, 3, 6, 9, 12, 15, 18,
    ]  # fmt: skip


def test_one_layer_has_nobody_to_move():
    tree = Tree([4], [2], tau=0.1)
    codes = codes_of(tree, torch.ones(3, 4))
    gather_(tree, codes, torch.ones(3))
    assert tree.capacities.shape == (0, 1)
