import numpy as np
import pytest

from sklearn_aensae.datasets import make_spiked_dictionary
from sklearn_aensae.metrics import l0, mutual_coherence


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, 1.0])
def test_atoms_have_cosine_rho(rho):
    _, _, dictionary = make_spiked_dictionary(1, rho=rho, random_state=0)
    np.testing.assert_allclose(np.linalg.norm(dictionary, axis=1), 1.0)
    cosines = (dictionary @ dictionary.T)[np.triu_indices(1024, k=1)]
    np.testing.assert_allclose(cosines.mean(), rho, atol=0.05)


@pytest.mark.parametrize(("rho", "published"), [(0.0, 0.321), (0.5, 0.673), (0.9, 0.933)])
def test_coherence_is_the_published_one(rho, published):
    _, _, dictionary = make_spiked_dictionary(1, rho=rho, random_state=0)
    np.testing.assert_allclose(mutual_coherence(dictionary), published, atol=0.04)


@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_data_lean_along_the_shared_direction(rho):
    X, codes, _ = make_spiked_dictionary(5000, rho=rho, random_state=0)
    assert l0(codes) == 16.0
    mean = X.mean(axis=0)
    np.testing.assert_allclose(np.linalg.norm(mean), 32.0 * np.sqrt(rho), rtol=0.05)
    # Code moments: the sum of 16 uniform magnitudes in [1, 3] has variance 16/3, and a sum of
    # independent unit vectors with those magnitudes has squared norm 16 * 13/3.
    along = X @ (mean / np.linalg.norm(mean))
    np.testing.assert_allclose(along.var(), 16 / 3 * rho, rtol=0.15)
    across = 16 * 13 / 3 * (1.0 - rho)
    np.testing.assert_allclose(X.var(axis=0).sum() - along.var(), across, rtol=0.15)


def test_data_are_codes_times_dictionary():
    X, codes, dictionary = make_spiked_dictionary(20, 8, 16, n_active=3, random_state=0)
    np.testing.assert_allclose(X, codes.toarray() @ dictionary, rtol=1e-12)


def test_options_are_those_of_make_sparse_codes():
    sizes = {"n_samples": 500, "n_features": 8, "n_components": 16, "n_active": 3}
    quiet, _, _ = make_spiked_dictionary(**sizes, random_state=0)
    noisy, _, _ = make_spiked_dictionary(**sizes, noise_std=0.5, random_state=0)
    np.testing.assert_allclose((noisy - quiet).std(), 0.5, rtol=0.05)
    X, codes, dictionary = make_spiked_dictionary(
        **sizes, signed=True, dtype=np.float32, random_state=0
    )
    assert codes.data.min() < 0.0
    assert {X.dtype, codes.dtype, dictionary.dtype} == {np.dtype(np.float32)}


def test_random_state_decides():
    first, again, other = (make_spiked_dictionary(5, random_state=seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("rho", [-0.1, 1.1, np.nan, "a"])
def test_rho_is_a_share(rho):
    with pytest.raises(ValueError, match="rho must be between 0 and 1, got"):
        make_spiked_dictionary(5, rho=rho)


def test_refuses_more_active_codes_than_components():
    with pytest.raises(ValueError, match="n_active == 16, must be <= 8"):
        make_spiked_dictionary(5, 4, 8)
