import numpy as np
import pytest
from helpers import exact_codes

from sklearn_aensae.datasets import make_spiked_dictionary
from sklearn_aensae.theory import lipschitz_bound, support_lipschitz


def random_atoms(n_components, n_features, seed=0):
    atoms = np.random.default_rng(seed).normal(size=(n_components, n_features))
    return atoms / np.linalg.norm(atoms, axis=1, keepdims=True)


@pytest.mark.parametrize("lambda_2", [0.0, 0.01, 1.0])
def test_orthonormal_atoms(lambda_2):
    atoms = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    expected = 1 / (1 + 5 * lambda_2)
    np.testing.assert_allclose(lipschitz_bound(atoms, lambda_2), expected, rtol=1e-12)
    np.testing.assert_allclose(support_lipschitz(atoms, [1, 3], lambda_2), expected, rtol=1e-12)


@pytest.mark.parametrize("lambda_2", [0.0, 0.001, 0.1, 3.0])
def test_two_atoms_with_a_cosine(lambda_2):
    c = 0.9
    lengths = np.sqrt([1 - c, 1 + c])
    expected = (lengths / (lengths**2 + 2 * lambda_2)).max()
    atoms = [[1.0, 0.0], [c, np.sqrt(1 - c**2)]]
    np.testing.assert_allclose(support_lipschitz(atoms, [0, 1], lambda_2), expected, rtol=1e-12)


def test_overcomplete_dictionaries_have_the_same_bound_with_a_weak_ridge():
    for rho in (0.0, 0.9):
        _, _, atoms = make_spiked_dictionary(1, 16, 40, rho=rho, random_state=0)
        assert lipschitz_bound(atoms, 0.0) == np.inf
        np.testing.assert_allclose(lipschitz_bound(atoms, 1 / 64), 1.0, rtol=1e-12)


@pytest.mark.parametrize("lambda_2", [1e-4, 1e-2, 1.0, 100.0])
def test_the_bound_is_above_all_supports_and_never_above_the_common_one(lambda_2):
    atoms = random_atoms(20, 8)
    bound, ridge = lipschitz_bound(atoms, lambda_2), 8 * lambda_2
    assert bound <= np.linalg.norm(atoms, 2) / ridge
    assert bound <= 0.5 / np.sqrt(ridge) * (1 + 1e-12)
    rng = np.random.default_rng(1)
    for size in range(1, 21):
        support = rng.choice(20, size, replace=False)
        constant = support_lipschitz(atoms, support, lambda_2)
        product = np.linalg.solve(
            atoms[support] @ atoms[support].T + ridge * np.eye(size), atoms[support]
        )
        np.testing.assert_allclose(constant, np.linalg.norm(product, 2), rtol=1e-8)
        assert constant <= bound * (1 + 1e-12)


@pytest.mark.parametrize("lambda_2", [0.0, 1e-3, 0.1])
def test_few_atoms_are_bounded_by_their_least_singular_value(lambda_2):
    atoms = random_atoms(4, 8)
    lengths = np.linalg.svd(atoms, compute_uv=False)
    t = np.linspace(lengths[-1], lengths[0], 100_000)
    expected = (t / (t**2 + 8 * lambda_2)).max()
    np.testing.assert_allclose(lipschitz_bound(atoms, lambda_2), expected, rtol=1e-8)


@pytest.mark.parametrize("lambda_2", [1e-3, 1e-2, 1.0])
def test_exact_codes_keep_to_it_near_and_far(lambda_2):
    X, _, atoms = make_spiked_dictionary(100, 12, 30, n_active=3, rho=0.8, random_state=0)
    moves = np.random.default_rng(0).normal(size=X.shape)
    codes = exact_codes(atoms, X, 0.05, lambda_2)
    for scale in (1e-4, 0.1, 10.0):
        moved = exact_codes(atoms, X + scale * moves, 0.05, lambda_2)
        ratios = np.linalg.norm(moved - codes, axis=1) / np.linalg.norm(scale * moves, axis=1)
        assert 0 < ratios.max() <= lipschitz_bound(atoms, lambda_2)


def test_the_bound_is_reached_by_an_atom_pair_of_the_right_cosine():
    # One singular value of the two active atoms is the square root of n lambda_2.
    lambda_2, c = 0.05, 0.9
    atoms = np.array([[1.0, 0.0], [c, np.sqrt(1 - c**2)]])
    bound = lipschitz_bound(atoms, lambda_2)
    np.testing.assert_allclose(bound, 0.5 / np.sqrt(2 * lambda_2), rtol=1e-9)
    x = 3 * atoms.sum(axis=0)
    move = 1e-3 * np.linalg.svd(atoms)[2][-1]
    before, after = exact_codes(atoms, np.stack([x, x + move]), 0.01, lambda_2)
    np.testing.assert_allclose(np.linalg.norm(after - before) / 1e-3, bound, rtol=1e-6)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="lambda_2 == -0.1"):
        lipschitz_bound(np.eye(2), -0.1)
    with pytest.raises(TypeError, match="lambda_2 must be an instance of float"):
        support_lipschitz(np.eye(2), [0], None)
    with pytest.raises(ValueError, match="numbers from 0 to 1"):
        support_lipschitz(np.eye(2), [2], 0.1)
