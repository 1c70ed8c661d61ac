import numpy as np
import pytest
import torch
from scipy import sparse

from sklearn_aensae.theory import active_gram_spectra, active_gram_spectrum


def equiangular(n, cosine):
    """Unit atoms of which any two have the same cosine."""
    return np.linalg.cholesky(np.full((n, n), cosine) + (1 - cosine) * np.eye(n))


def test_orthonormal_atoms_have_eigenvalues_of_one():
    atoms = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]
    spectrum = active_gram_spectrum(atoms, [4, 1])
    np.testing.assert_allclose(spectrum.eigenvalues, [1, 1], rtol=1e-12)
    np.testing.assert_allclose(spectrum.condition_number, 1, rtol=1e-12)


@pytest.mark.parametrize("cosine", [-0.15, 0.3, 0.9])
def test_equiangular_atoms(cosine):
    # Once 1 + (k - 1) c, along the sum of the atoms, and k - 1 times 1 - c.
    spectrum = active_gram_spectrum(equiangular(7, cosine), [0, 2, 3, 6])
    expected = np.sort([1 + 3 * cosine, *[1 - cosine] * 3])
    np.testing.assert_allclose(spectrum.eigenvalues, expected, rtol=1e-12)
    assert spectrum[1:3] == (spectrum.eigenvalues[0], spectrum.eigenvalues[-1])
    np.testing.assert_allclose(spectrum.condition_number, expected[-1] / expected[0], rtol=1e-12)


def test_lengths_of_atoms_count():
    spectrum = active_gram_spectrum([[3.0, 0.0], [0.0, 0.5]], [0, 1])
    np.testing.assert_allclose(spectrum.eigenvalues, [0.25, 9.0])


@pytest.mark.parametrize(
    "atoms",
    [[[1.0, 2.0], [1.0, 2.0], [0.0, 1.0]], [[1.0, 0.0], [0.3, 0.2], [0.0, 1.0]], np.zeros((3, 4))],
    ids=["twice", "more than features", "zero"],
)
def test_dependent_atoms_are_singular(atoms):
    spectrum = active_gram_spectrum(atoms, [0, 1, 2])
    assert spectrum.smallest == 0
    assert spectrum.condition_number == np.inf
    np.testing.assert_allclose(spectrum.eigenvalues.sum(), np.square(atoms).sum())


def test_nearly_equal_atoms_keep_their_digits():
    # The Gram matrix itself is exactly singular in double precision.
    spectrum = active_gram_spectrum([[1.0, 0.0], [1.0, 1e-10]], [0, 1])
    np.testing.assert_allclose(spectrum.smallest, 0.5e-20, rtol=1e-4)


def test_of_more_atoms_than_features_all_but_the_last_are_zero():
    eigenvalues = active_gram_spectrum([[3.0, 0.0], [0.0, 1.0], [4.0, 0.0], [0.0, 0.0]], range(4))
    np.testing.assert_allclose(eigenvalues.eigenvalues, [0, 0, 1, 25], rtol=1e-12)


def test_a_mask_names_the_same_support():
    atoms = np.random.default_rng(0).normal(size=(5, 4))
    by_mask = active_gram_spectrum(atoms, [False, True, False, False, True])
    assert by_mask.condition_number == active_gram_spectrum(torch.tensor(atoms), [1, 4])[-1]


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, torch.tensor])
def test_spectra_of_rows_are_those_of_their_supports(container):
    rng = np.random.default_rng(0)
    atoms = rng.normal(size=(12, 5))
    codes = rng.normal(size=(30, 12)) * (rng.random((30, 12)) < 0.3)
    codes[3] = 0
    spectra = active_gram_spectra(atoms, container(codes))
    np.testing.assert_array_equal(spectra.n_active, (codes != 0).sum(axis=1))
    assert spectra.n_active.max() > 5
    for i, row in enumerate(codes):
        expected = active_gram_spectrum(atoms, row != 0)[1:] if row.any() else [np.nan] * 3
        np.testing.assert_array_equal([column[i] for column in spectra[1:]], expected)


@pytest.mark.parametrize(
    ("support", "message"),
    [
        ([], "at least one component"),
        ([0.0, 1.0], "at least one component"),
        ([False, False, False], "at least one component"),
        ([[0, 1]], "at least one component"),
        ([0, 3], "numbers from 0 to 2"),
        ([-1], "numbers from 0 to 2"),
        ([1, 1], "names a component twice"),
    ],
)
def test_what_is_no_support(support, message):
    with pytest.raises(ValueError, match=message):
        active_gram_spectrum(np.eye(3), support)


def test_codes_must_fit_the_dictionary():
    with pytest.raises(ValueError, match="codes must have 3 columns, one per atom; got 2"):
        active_gram_spectra(np.eye(3), np.ones((4, 2)))
    with pytest.raises(ValueError, match="dictionary must have two dimensions"):
        active_gram_spectrum(np.ones(3), [0])
