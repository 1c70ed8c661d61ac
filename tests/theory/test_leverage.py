import numpy as np
import pytest

from sklearn_aensae.theory import cross_leverage


def test_of_two_atoms_it_is_the_squared_cosine():
    leverage = cross_leverage([[2.0, 0.0], [-0.6, 0.8], [0.0, 0.0]], [0])
    np.testing.assert_allclose(leverage, [np.nan, 0.36, 0.0], rtol=1e-12)


def test_of_equiangular_atoms():
    # g_jA G_AA^-1 g_Aj with g_jA = c 1 and G_AA 1 = (1 + (k - 1) c) 1.
    c, k = 0.4, 3
    atoms = np.linalg.cholesky(np.full((6, 6), c) + (1 - c) * np.eye(6))
    expected = k * c**2 / (1 + (k - 1) * c)
    leverage = cross_leverage(atoms, [0, 3, 5])
    np.testing.assert_allclose(leverage[[1, 2, 4]], expected, rtol=1e-12)
    assert np.isnan(leverage[[0, 3, 5]]).all()


def test_it_is_what_least_squares_explain():
    atoms = np.random.default_rng(0).normal(size=(20, 8))
    fitted = atoms[:4].T @ np.linalg.lstsq(atoms[:4].T, atoms[4:].T, rcond=None)[0]
    expected = np.square(fitted).sum(axis=0) / np.square(atoms[4:]).sum(axis=1)
    np.testing.assert_allclose(cross_leverage(atoms, range(4))[4:], expected, rtol=1e-10)


def test_in_the_span_it_is_one_and_dependent_atoms_span_no_more():
    atoms = [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.1, 0.7, 0.0], [0.0, 0.6, 0.8]]
    leverage = cross_leverage(atoms, [0, 1, 2])[3:]
    np.testing.assert_allclose(leverage, [1.0, 0.36], rtol=1e-12)
    assert leverage.max() <= 1
    np.testing.assert_allclose(cross_leverage(atoms, [0, 1])[2:4], [0.36, 0.01 / 0.5], rtol=1e-12)


@pytest.mark.parametrize("length", [1e-17, 1e-200, 1e200])
def test_lengths_are_irrelevant(length):
    atoms = np.array([[1.0, 0.0, 0.0], [0.0, length, 0.0], [0.0, 1.0, 0.0], [0.0, 0.6, 0.8]])
    np.testing.assert_allclose(cross_leverage(atoms, [0, 1])[2:], [1.0, 0.36], rtol=1e-12)
    np.testing.assert_allclose(cross_leverage(atoms, [0, 3])[1:3], 0.36, rtol=1e-12)


def test_a_support_must_exist():
    with pytest.raises(ValueError, match="numbers from 0 to 1"):
        cross_leverage(np.eye(2), [2])
