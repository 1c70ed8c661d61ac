"""The three data sets of the study."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sklearn_aensae import LLMActivationTransformer
from sklearn_aensae.datasets import (
    TINY_LM,
    load_stdlib_texts,
    make_feature_tree,
    make_spiked_dictionary,
)

LAYER = 1  # the second of four blocks: the middle of the model


@dataclass(frozen=True)
class Budget:
    """How much data and training a run takes."""

    n_rows: int
    n_held_out: int
    n_chars: int
    n_test_texts: int
    steps: int
    batch_size: int


FULL = Budget(30_000, 4_000, 400_000, 16, steps=500, batch_size=256)
QUICK = Budget(1_000, 200, 4_000, 2, steps=10, batch_size=128)


@dataclass(frozen=True)
class Problem:
    """Rows for training, for choosing and for measuring, and what is known of the truth."""

    name: str
    train: NDArray[np.floating]
    validation: NDArray[np.floating]
    test: NDArray[np.floating]
    target: int
    n_components: int
    truth: NDArray[np.floating] | None = None
    activations: LLMActivationTransformer | None = None
    texts: tuple[str, ...] = ()


def spiked(budget: Budget) -> Problem:
    """Sparse sums of atoms that all lean towards one direction, as in the AEN-SAE paper."""
    X, _, truth = make_spiked_dictionary(
        budget.n_rows + 2 * budget.n_held_out, 64, 256, n_active=8, noise_std=0.05,
        dtype=np.float32, random_state=0,
    )  # fmt: skip
    return Problem("spiked", *_cut(X, budget), target=8, n_components=256, truth=truth)


def tree(budget: Budget) -> Problem:
    """Features in trees: a child is active only with its parent."""
    X, codes, truth, _ = make_feature_tree(
        budget.n_rows + 2 * budget.n_held_out, 64, n_roots=16, depth=3, noise_std=0.05,
        dtype=np.float32, random_state=0,
    )  # fmt: skip
    target = round(codes.nnz / codes.shape[0])
    return Problem("tree", *_cut(X, budget), target, n_components=len(truth), truth=truth)


def language_model(budget: Budget, layer: int = LAYER) -> Problem:
    """Activations of the packaged language model: no truth, but a loss to keep."""
    activations = LLMActivationTransformer(TINY_LM, layer, long_texts="split")
    texts = load_stdlib_texts("train")
    mixed = [texts[i] for i in np.random.default_rng(0).permutation(len(texts))]
    n_train = 1 + int(np.searchsorted(np.cumsum([len(t) for t in mixed]), budget.n_chars))
    validation = mixed[n_train : n_train + max(1, n_train // 8)]
    test = tuple(text[:3_000] for text in load_stdlib_texts("test")[: budget.n_test_texts])
    rows = [activations.transform(list(part)) for part in (mixed[:n_train], validation, test)]
    width = 2 * rows[0].shape[1]
    return Problem("language model", *rows, 24, width, None, activations, test)


def _cut(X: NDArray[np.floating], budget: Budget) -> list[NDArray[np.floating]]:
    """Rows for training, validation and test."""
    return np.split(X, [budget.n_rows, budget.n_rows + budget.n_held_out])


PROBLEMS: dict[str, Callable[[Budget], Problem]] = {
    "spiked": spiked,
    "tree": tree,
    "language model": language_model,
}
