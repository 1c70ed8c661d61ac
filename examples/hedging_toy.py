"""Feature hedging on the smallest data that have it: a parent feature and its child.

    python examples/hedging_toy.py    # about a minute

A row is the parent, parent and child together, or nothing; the child never comes alone. One
component cannot hold both, and mixes them: the better the more often they occur together. It
need not be sparse for that, nor does the penalty matter. Without biases and penalty its atom is the
top eigenvector of the second moments, at an angle t from the parent with

    tan 2t = 2 P(both) / P(parent alone).

Two components, each of them a level of its own, show what the levels are good for. Under the
penalty alone (beta = 0) the parent's component goes silent where the child occurs: absorption, a
negative weight of the child in its encoder. The inner level pulls the other way: hedging, a
positive one. In between lies a beta that balances the two.

Four components for three such families of a parent and three children cannot hold all twelve
features. How far their atoms have been bent to hold more than one, `hedging_degree` tells: eight
more components are added, training goes on, and what the old atoms lose to the new ones counts.

Chanin, Dulka and Garriga-Alonso (2025), Feature hedging, arXiv 2505.11756.
"""

import math

import numpy as np
import torch
from skorch.callbacks import Callback

from sklearn_aensae import L1SAE, MatryoshkaL1SAE, MatryoshkaSAE
from sklearn_aensae.metrics import hedging_degree

PARENT, CHILD = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 2)))[0].T
BETAS = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0)


class FromTheTruthWithoutBiases(Callback):
    """Begins with parent and child as atoms, and keeps both biases at zero."""

    def on_train_begin(self, net, **kwargs):
        """Set the weights."""
        module = net.module_
        truth = torch.tensor(np.stack([PARENT, CHILD])[: len(module.decoder.atoms)])
        module.decoder.atoms.data.copy_(truth)
        module.encoder.weight.data.copy_(truth)
        self.on_batch_end(net)

    def on_batch_end(self, net, **kwargs):
        """Take back what the step has made of the biases."""
        net.module_.encoder.bias.data.zero_()
        net.module_.decoder.bias.data.zero_()


def make_family(p_parent_alone, p_both, n_samples=20_000):
    """Rows of a parent that occurs alone or with its child."""
    drawn = np.random.default_rng(1).random(n_samples)
    parent, child = drawn < p_parent_alone + p_both, drawn < p_both
    return parent[:, None] * PARENT + child[:, None] * CHILD


def train(cls, n_components, X, **params):
    """Fit from the truth: what differs from it in the end was learned."""
    callbacks = [FromTheTruthWithoutBiases()]
    quick = {"max_steps": 400, "batch_size": 512, "learning_rate": 1e-2, "lambda_warmup": 0.0}
    return cls(n_components, callbacks=callbacks, random_state=0, **quick, **params).fit(X)


def angle_of_one_component(p_parent_alone, p_both):
    """Degrees between the parent and the atom that one component learns."""
    sae = train(L1SAE, 1, make_family(p_parent_alone, p_both), lambda_1=0.0)
    return math.degrees(math.atan2(sae.components_[0] @ CHILD, sae.components_[0] @ PARENT))


def predicted_angle(p_parent_alone, p_both):
    """Degrees by the formula."""
    return math.degrees(math.atan2(2 * p_both, p_parent_alone) / 2)


def child_in_parent(beta, p_both=0.15):
    """Weight of the child in the parent's component, relative to the parent's: decoder, encoder."""
    X = make_family(0.3 - p_both, p_both)
    sae = train(MatryoshkaL1SAE, 2, X, widths=[1], beta=beta, lambda_1=0.02)
    atom, weights = sae.components_[0], sae.encoder_weights_[0]
    return (atom @ CHILD) / (atom @ PARENT), (weights @ CHILD) / (weights @ PARENT)


class FromSmaller(Callback):
    """Begins with the weights of a smaller autoencoder in the place of the first components."""

    def __init__(self, smaller):
        self.smaller = smaller

    def on_train_begin(self, net, **kwargs):
        """Set the weights."""
        old, new = self.smaller, net.module_
        n = len(old.decoder.atoms)
        new.decoder.atoms.data[:n] = old.decoder.atoms.data
        new.encoder.weight.data[:n] = old.encoder.weight.data
        new.encoder.bias.data[:n] = old.encoder.bias.data
        new.decoder.bias.data.copy_(old.decoder.bias.data)


def make_families(n_families=3, n_children=3, n_features=30, n_samples=40_000):
    """Rows of parents that occur with probability .3, each of their children then with .3."""
    rng = np.random.default_rng(1)
    n_atoms = n_families * (1 + n_children)
    atoms = np.linalg.qr(rng.normal(size=(n_features, n_atoms)))[0].T
    parents = rng.random((n_samples, n_families, 1)) < 0.3
    children = parents & (rng.random((n_samples, n_families, n_children)) < 0.3)
    present = np.concatenate([parents, children], axis=2).reshape(n_samples, n_atoms)
    return (present * rng.uniform(0.8, 1.2, present.shape)) @ atoms


def hedging_of_a_narrow_one(beta, seed, n_components=4, n_new=8):
    """How much of the atoms of a narrow autoencoder belongs to components that it lacks."""
    X = make_families()
    quick = {"max_steps": 400, "batch_size": 256, "learning_rate": 3e-3, "random_state": seed}
    params = {"k": 3, "widths": [2], "beta": beta, **quick}
    narrow = MatryoshkaSAE(n_components, **params).fit(X)
    start = [FromSmaller(narrow.net_.module_)]
    wide = MatryoshkaSAE(n_components + n_new, **params, callbacks=start).fit(X)
    return hedging_degree(narrow.components_, wide.components_)


def main():
    """Print both tables."""
    print("One component: angle from the parent, in degrees")
    print("P(parent alone)  P(both)  trained  formula")
    for alone, both in ((0.3, 0.0), (0.25, 0.05), (0.2, 0.1), (0.15, 0.15), (0.1, 0.2)):
        trained, formula = angle_of_one_component(alone, both), predicted_angle(alone, both)
        print(f"{alone:15.2f}  {both:7.2f}  {trained:7.2f}  {formula:7.2f}")
    print("\nTwo components in levels of 1 and 2: the child in the parent's component")
    print("beta  decoder  encoder")
    for beta in BETAS:
        decoder, encoder = child_in_parent(beta)
        print(f"{beta:4.2f}  {decoder:7.2f}  {encoder:7.2f}")
    print("\nFour components for twelve features, levels of 2 and 4: hedging degree")
    print("beta  mean  least..most of five seeds")
    for beta in (0.0, 0.25, 0.5, 1.0):
        found = [hedging_of_a_narrow_one(beta, seed) for seed in range(5)]
        print(f"{beta:4.2f}  {np.mean(found):4.2f}  {min(found):.2f}..{max(found):.2f}")


if __name__ == "__main__":
    main()
