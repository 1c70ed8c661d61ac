"""Reallocation: dead components of a tree move to parents under which much is left to explain."""

import heapq
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.callbacks import Callback
from torch import Tensor

from sklearn_aensae.kernels import ActiveCodes
from sklearn_aensae.modules.activations.tree import ROOT, Tree

__all__ = ["Reallocation", "quotas", "reallocated"]

LONGEST = 10 / 3
"""Longest interval, in multiples of the first: published are 10,000 and 3,000 steps."""

Integers = NDArray[np.int64]


class Reallocation(Callback):
    r"""Moves dead children, at intervals that double, to where the tree explains least.

    In every step the squared error of a row is shared out equally among the root and the
    components that may be parents and are active in the row; what parent p has gathered is its
    capacity :math:`C_p`. Then quotas :math:`k_p` that maximise :math:`\min_p C_p / k_p` say how
    many children each parent should have; dead children of parents that have more move to parents
    that have fewer, and capacities start again from 0. Dead parents get no quota. In the last step
    dead children go to the root, where they may fire on any row, and the tree is final.

    The authors' code shares the loss of a whole batch among all parents that fired anywhere in
    it, which tells parents apart only where batches are small; their paper adds the loss for each
    token. This is the rule of the code with each row as its own batch. The state is in the
    module's buffers; the rest follows from the number of the step.

    Parameters
    ----------
    interval : int
        Steps until the first reallocation. The next intervals are twice as long, up to 10 / 3 of
        the first.
    stop : int
        The last step.
    seed : int
        Of the choice among equals, together with the number of the step.

    References
    ----------
    :arxiv:`Cao et al. (2026). Tree SAE <2605.07922>`, algorithms 1 and 2.
    """

    def __init__(self, interval: int, stop: int, seed: int) -> None:
        self.interval = interval
        self.stop = stop
        self.seed = seed

    def is_due(self, step: int) -> bool:
        """Whether children are moved after a step, counted from 1."""
        doubled = 3 * self.interval
        if step <= doubled:
            return step in (self.interval, doubled)
        return (step - doubled) % max(1, round(LONGEST * self.interval)) == 0

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Take in the errors of a step; move children if it is time."""
        step, tree = net.n_steps_, net.module_.activation
        if not training or step > self.stop:
            return
        output = kwargs["y_pred"]
        with torch.no_grad():
            errors = (batch[1] - output.reconstruction).square().mean(1)
            gather_(tree, output.codes, errors)
            if step == self.stop or self.is_due(step):
                self._reallocate(tree, net.module_.tracker.dead(), step)

    def _reallocate(self, tree: Tree, is_dead: Tensor, step: int) -> None:
        """Read the state of the tree, once, and write its new parents."""
        rng = np.random.default_rng((self.seed, step))
        parents, capacities, dead = (
            part.cpu().numpy().copy() for part in (tree.parents, tree.capacities, is_dead)
        )
        for row, layer in zip(capacities, tree.layers[1:], strict=True):
            if step == self.stop:
                parents[layer][dead[layer]] = ROOT
                continue
            row[1 + np.flatnonzero(dead[: tree.n_parents])] = 0
            parents[layer] = reallocated(parents[layer], row[: 1 + layer.start], dead[layer], rng)
        tree.parents.copy_(torch.from_numpy(parents))
        tree.capacities.zero_()


def gather_(tree: Tree, codes: ActiveCodes, errors: Tensor) -> None:
    """Share out the error of each row, in place: shape (batch,), among its active parents."""
    pattern, is_active = codes.pattern, codes.values > tree.tau
    for row, layer in zip(tree.capacities, tree.layers[1:], strict=True):
        may_be_parent = (is_active & (pattern.columns < layer.start)).to(errors)
        shares = errors / (1 + pattern.row_sums(may_be_parent))
        row[0] += shares.sum()
        # Others come to the last place, with nothing to add.
        columns = pattern.columns.clamp(max=layer.start - 1)
        row[1:].index_add_(0, columns, shares[pattern.rows] * may_be_parent)


def quotas(capacities: NDArray[np.floating], n_children: int) -> Integers:
    """Return numbers of children that maximise the least capacity per child (algorithm 1).

    One child after another goes to the parent that then has most capacity per child.

    Parameters
    ----------
    capacities : ndarray of shape (n_parents,)
        Non-negative, not all 0. A parent without capacity gets no child.
    n_children : int
        Children to hand out.

    Returns
    -------
    ndarray of shape (n_parents,)
        Sums to `n_children`.
    """
    counts = np.zeros(len(capacities), dtype=np.int64)
    heap = [(-float(capacities[p]), int(p)) for p in np.flatnonzero(capacities > 0)]
    heapq.heapify(heap)
    for _ in range(n_children):
        parent = heap[0][1]
        counts[parent] += 1
        heapq.heapreplace(heap, (-float(capacities[parent]) / (counts[parent] + 1), parent))
    return counts


def reallocated(
    parents: Integers,
    capacities: NDArray[np.floating],
    dead: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Integers:
    """Return new parents of a layer, in which dead children alone have moved (algorithm 2).

    Parameters
    ----------
    parents : ndarray of shape (n_children,)
        Parents; -1 for the root.
    capacities : ndarray of shape (1 + n_parents,)
        Of the root and the parents.
    dead : ndarray of bool of shape (n_children,)
        Which children may move.
    rng : Generator
        Chooses among the dead children of a parent, and among places that wait for one.
    """
    if not (capacities > 0).any():
        # Nothing is left to explain.
        return parents
    counts = np.bincount(parents - ROOT, minlength=len(capacities))
    surplus = counts - quotas(capacities, len(parents))
    places = rng.permutation(np.repeat(np.arange(len(capacities)), (-surplus).clip(min=0)))
    moved = parents.copy()
    n_moved = 0
    for child in rng.permutation(np.flatnonzero(dead)):
        parent = parents[child] - ROOT
        if surplus[parent] > 0 and n_moved < len(places):
            surplus[parent] -= 1
            moved[child] = places[n_moved] + ROOT
            n_moved += 1
    return moved
