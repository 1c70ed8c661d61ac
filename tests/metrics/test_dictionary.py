import numpy as np
import pytest
import torch

from sklearn_aensae.datasets import make_spiked_dictionary
from sklearn_aensae.metrics import dictionary_recovery, mutual_coherence


def random_atoms(n_components, n_features, seed=0):
    return np.random.default_rng(seed).normal(size=(n_components, n_features))


def test_mutual_coherence_is_the_largest_off_diagonal_cosine():
    atoms = random_atoms(50, 8)
    unit = atoms / np.linalg.norm(atoms, axis=1, keepdims=True)
    expected = np.max(np.abs(unit @ unit.T) - np.eye(50))
    np.testing.assert_allclose(mutual_coherence(atoms), expected, rtol=1e-12)


def test_mutual_coherence_looks_across_blocks():
    atoms = random_atoms(1500, 256)
    atoms[1499] = -2.0 * atoms[0]
    np.testing.assert_allclose(mutual_coherence(atoms), 1.0, rtol=1e-12)


@pytest.mark.parametrize(
    "atoms", [np.eye(4), [[1.0, 2.0]], np.zeros((3, 2)), torch.eye(4), np.eye(4, dtype=np.float16)]
)
def test_mutual_coherence_of_unrelated_atoms_is_zero(atoms):
    assert mutual_coherence(atoms) == 0.0


def test_recovery_undoes_a_permutation_whatever_the_lengths():
    true = random_atoms(30, 10)
    order = np.random.default_rng(1).permutation(30)
    recovery = dictionary_recovery(3.0 * true[order], torch.tensor(true))
    np.testing.assert_allclose(recovery.mean_cosine, 1.0, rtol=1e-12)
    np.testing.assert_allclose(recovery.cosines, 1.0, rtol=1e-12)
    components, true_components = recovery.matching
    np.testing.assert_array_equal(order[components], true_components)


LENGTHS = [(np.float16, 300.0), (np.float32, 1e-7), (np.float32, 1e20), (np.float64, 1e200)]


@pytest.mark.parametrize(("dtype", "length"), LENGTHS)
def test_atoms_may_have_any_length(dtype, length):
    atoms = (length * np.array([[1.0, 0.0], [3.0, 4.0]])).astype(dtype)
    assert mutual_coherence(atoms) == pytest.approx(0.6, abs=1e-3)
    for centered in (False, True):
        recovery = dictionary_recovery(atoms, atoms[::-1], centered=centered)
        np.testing.assert_allclose(recovery.cosines, 1.0, atol=1e-3)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_cosine_is_at_most_one(dtype):
    atoms = random_atoms(200, 64).astype(dtype)
    recovery = dictionary_recovery(atoms, atoms)
    assert max(recovery.cosines.max(), mutual_coherence(np.vstack([atoms, atoms]))) <= 1
    np.testing.assert_allclose(recovery.mean_cosine, 1.0, rtol=1e-12)


def test_recovery_matches_one_to_one():
    # Both learned atoms are nearest to the first true one; only one may have it.
    recovery = dictionary_recovery([[1.0, 0.0], [4.0, 3.0]], np.eye(2))
    np.testing.assert_allclose(recovery.mean_cosine, (1.0 + 0.6) / 2)


def test_recovery_with_fewer_atoms_counts_the_missing_ones_as_zero():
    true = random_atoms(10, 6)
    recovery = dictionary_recovery(true[:4], true)
    np.testing.assert_allclose(recovery.mean_cosine, 0.4)
    np.testing.assert_allclose(recovery.cosines, np.ones(4))


def test_recovery_with_more_atoms_leaves_the_rest_out():
    true = random_atoms(10, 6)
    learned = np.vstack([random_atoms(5, 6, seed=1), true])
    np.testing.assert_allclose(dictionary_recovery(learned, true).mean_cosine, 1.0)


def test_recovery_tells_an_atom_from_its_negative_unless_asked_not_to():
    true = np.eye(3)
    assert dictionary_recovery(-true, true).mean_cosine <= 0.0
    assert dictionary_recovery(-true, true, absolute=True).mean_cosine == 1.0


def test_centred_recovery_leaves_the_shared_direction_out():
    rho = 0.5
    _, _, dictionary = make_spiked_dictionary(1, 256, 300, rho=rho, random_state=0)
    own = dictionary - dictionary.mean(axis=0)
    uncentred = dictionary_recovery(own, dictionary)
    centred = dictionary_recovery(own, dictionary, centered=True)
    np.testing.assert_allclose(uncentred.mean_cosine, np.sqrt(1.0 - rho), atol=0.02)
    assert centred.mean_cosine > 0.99


def test_centred_recovery_removes_exactly_the_mean_direction():
    true = random_atoms(12, 6) + 1.0
    mean = true.mean(axis=0)
    shifts = np.random.default_rng(2).normal(size=(12, 1))
    recovery = dictionary_recovery(true + shifts * mean, true, centered=True)
    np.testing.assert_allclose(recovery.cosines, 1.0, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_an_atom_along_the_mean_direction_has_nothing_in_common_once_it_is_removed(dtype):
    true = (random_atoms(12, 6) + 1.0).astype(dtype)
    mean = true.mean(axis=0, dtype=np.float64).astype(dtype)
    learned = np.concatenate([true[1:], [3 * mean]])
    recovery = dictionary_recovery(learned, true, centered=True)
    assert recovery.cosines[-1] == 0.0
    np.testing.assert_allclose(recovery.mean_cosine, 11 / 12, rtol=1e-3)


def test_dictionaries_must_share_their_features():
    with pytest.raises(ValueError, match=r"columns, got \(2, 2\) and \(3, 3\)"):
        dictionary_recovery(np.eye(2), np.eye(3))
    with pytest.raises(ValueError, match="Input true_components contains NaN"):
        dictionary_recovery(np.eye(2), [[np.nan, 1.0]])
    with pytest.raises(ValueError, match="components must have two dimensions"):
        mutual_coherence([1.0, 2.0])
