import numpy as np
import pytest
from scipy import sparse

from sklearn_aensae.datasets import make_sparse_codes


def test_data_are_codes_times_dictionary():
    X, codes, dictionary = make_sparse_codes(50, 6, 12, n_active=3, random_state=0)
    assert isinstance(codes, sparse.csr_array)
    np.testing.assert_allclose(X, codes.toarray() @ dictionary, rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(dictionary, axis=1), 1.0)
    assert codes.shape == (50, 12)
    assert codes.nnz == 150
    assert codes.data.min() >= 1.0


def test_noise_has_its_standard_deviation_and_changes_nothing_else():
    quiet, codes, dictionary = make_sparse_codes(2000, random_state=0)
    noisy, noisy_codes, noisy_dictionary = make_sparse_codes(2000, noise_std=0.5, random_state=0)
    np.testing.assert_array_equal(noisy_codes.toarray(), codes.toarray())
    np.testing.assert_array_equal(noisy_dictionary, dictionary)
    np.testing.assert_allclose((noisy - quiet).std(), 0.5, rtol=0.02)


def test_noise_reaches_every_row():
    quiet, _, _ = make_sparse_codes(65537, 2, 4, n_active=1, random_state=0)
    noisy, _, _ = make_sparse_codes(65537, 2, 4, n_active=1, noise_std=0.5, random_state=0)
    assert np.all(quiet != noisy)


def test_signed_codes_have_both_signs():
    _, codes, _ = make_sparse_codes(100, signed=True, random_state=0)
    assert codes.data.min() < 0.0 < codes.data.max()


def test_random_state_decides():
    first, again, other = (make_sparse_codes(20, random_state=seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    from_instance = make_sparse_codes(20, random_state=np.random.RandomState(0))[0]
    np.testing.assert_array_equal(first, from_instance)


def test_dtype_is_that_of_everything_returned():
    single = make_sparse_codes(20, noise_std=0.1, dtype=np.float32, random_state=0)
    double = make_sparse_codes(20, noise_std=0.1, random_state=0)
    assert {array.dtype for array in single} == {np.dtype(np.float32)}
    assert {array.dtype for array in double} == {np.dtype(np.float64)}
    np.testing.assert_allclose(single[0], double[0], atol=1e-5)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"n_samples": 0}, ValueError, "n_samples == 0"),
        ({"n_features": 0}, ValueError, "n_features == 0"),
        ({"n_components": 0}, ValueError, "n_components == 0"),
        ({"n_active": 0}, ValueError, "n_active == 0"),
        ({"n_active": 65}, ValueError, "n_active == 65, must be <= 64"),
        ({"n_samples": 2.5}, TypeError, "n_samples must be an instance of"),
        ({"noise_std": -1.0}, ValueError, "noise_std must be finite and not negative, got -1.0"),
        ({"noise_std": np.nan}, ValueError, "noise_std must be finite and not negative, got nan"),
        ({"noise_std": "a"}, ValueError, "noise_std must be finite and not negative, got 'a'"),
        ({"noise_std": None}, ValueError, "noise_std must be finite and not negative, got None"),
        ({"n_samples": True}, TypeError, "n_samples must be a number; got True"),
        ({"dtype": np.float16}, ValueError, "dtype must be float64 or float32, got float16"),
    ],
)
def test_refuses_what_makes_no_sense(parameters, error, message):
    with pytest.raises(error, match=message):
        make_sparse_codes(**parameters)
