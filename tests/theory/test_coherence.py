import math

import numpy as np
import pytest
import torch

from sklearn_aensae.metrics import mutual_coherence
from sklearn_aensae.theory import coherence


def test_of_two_atoms_it_is_their_cosine():
    found = coherence([[1.0, 0.0], [-1.2, 1.6]])
    np.testing.assert_allclose(found.per_atom, [0.6, 0.6], rtol=1e-12)
    np.testing.assert_array_equal(found.nearest, [1, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_agrees_with_the_whole_gram_matrix_across_blocks(dtype):
    atoms = np.random.default_rng(0).normal(size=(1100, 6)).astype(dtype)
    unit = atoms / np.linalg.norm(atoms, axis=1, keepdims=True)
    gram = np.abs(unit @ unit.T) - 2 * np.eye(1100)
    found = coherence(torch.tensor(atoms))
    np.testing.assert_allclose(found.per_atom, gram.max(axis=1), rtol=1e-5)
    chosen = gram[np.arange(1100), found.nearest]
    np.testing.assert_allclose(chosen, gram.max(axis=1), rtol=1e-5)
    assert found.mutual == mutual_coherence(atoms) == found.per_atom.max()


@pytest.mark.parametrize(("dtype", "length"), [(np.float16, 300), (np.float32, 1e20)])
def test_lengths_are_irrelevant_and_no_cosine_exceeds_one(dtype, length):
    atoms = np.random.default_rng(0).normal(size=(100, 16))
    found = coherence((length * np.vstack([atoms, atoms])).astype(dtype))
    assert found.per_atom.max() <= 1
    np.testing.assert_allclose(found.per_atom, 1.0, rtol=1e-12)


def test_unrelated_atoms():
    found = coherence(np.eye(3))
    assert (found.mutual, found.guaranteed_sparsity) == (0.0, math.inf)
    assert (found.nearest != np.arange(3)).all()
    alone = coherence([[2.0, 1.0]])
    assert (alone.mutual, alone.nearest.tolist()) == (0.0, [0])


@pytest.mark.parametrize(
    ("cosine", "sparsity"), [(1.0, 0), (0.9, 1), (1 / 3, 1), (0.32, 2), (0.1, 5)]
)
def test_guaranteed_sparsity_is_below_half_of_one_and_the_inverse(cosine, sparsity):
    found = coherence([[1.0, 0.0], [cosine, math.sqrt(1 - cosine**2)]])
    assert found.guaranteed_sparsity == sparsity


def test_a_dictionary_has_two_dimensions():
    with pytest.raises(ValueError, match="dictionary must have two dimensions"):
        coherence([1.0, 2.0])
