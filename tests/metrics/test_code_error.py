import numpy as np
import pytest
import torch
from scipy import sparse

from sklearn_aensae.datasets import make_sparse_codes
from sklearn_aensae.metrics import code_error, dictionary_recovery


def random_codes(seed=0, shape=(40, 15)):
    rng = np.random.default_rng(seed)
    return rng.random(shape) * (rng.random(shape) < 0.3)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, torch.tensor])
def test_it_is_the_formula(container):
    codes, true = random_codes(0), random_codes(1)
    found = code_error(container(codes), container(true))
    whole = np.square(true).sum()
    np.testing.assert_allclose(found.error, np.square(codes - true).sum() / whole, rtol=1e-12)
    cosine = (codes * true).sum() / np.linalg.norm(codes) / np.linalg.norm(true)
    np.testing.assert_allclose(found.rescaled_error, 1 - cosine**2, rtol=1e-12)
    at_scale = np.square(found.scale * codes - true).sum() / whole
    np.testing.assert_allclose(found.rescaled_error, at_scale, rtol=1e-12)
    for other in (0.99, 1.01):
        assert np.square(other * found.scale * codes - true).sum() / whole > at_scale


def test_shrunk_codes_are_right_but_for_their_scale():
    true = random_codes()
    found = code_error(0.8 * true, true)
    np.testing.assert_allclose(found, [0.04, 0.0, 1.25], atol=1e-12)


def test_right_codes_have_no_error_to_the_last_digit():
    true = random_codes()
    assert code_error(true, true) == (0.0, 0.0, 1.0)
    np.testing.assert_allclose(code_error(true * (1 + 1e-9), true).error, 1e-18, rtol=1e-6)


def test_a_permutation_is_undone_by_its_matching():
    _, codes, dictionary = make_sparse_codes(100, 16, 24, n_active=3, random_state=0)
    order = np.random.default_rng(1).permutation(24)
    matching = dictionary_recovery(dictionary[order], dictionary).matching
    assert code_error(codes[:, order], codes, matching)[:2] == (0.0, 0.0)
    assert code_error(codes[:, order], codes).error > 1


def test_what_has_no_partner_is_missed_or_wrong():
    # Right: 2. Wrong: 3. Missed: 4.
    matching = (np.array([1]), np.array([0]))
    found = code_error([[3.0, 2.0]], [[2.0, 4.0, 0.0]], matching)
    np.testing.assert_allclose(found, [(9 + 16) / 20, 1 - 4**2 / (13 * 20), 4 / 13], rtol=1e-12)


def test_silent_codes_miss_all():
    assert code_error(np.zeros((2, 3)), np.eye(2, 3)) == (1.0, 1.0, 0.0)


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"got \(2, 2\) and \(3, 2\)"):
        code_error(np.ones((2, 2)), np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"got \(2, 2\) and \(2, 3\)"):
        code_error(np.ones((2, 2)), np.ones((2, 3)))
    with pytest.raises(ValueError, match="true_codes are all 0"):
        code_error(np.ones((2, 2)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="codes contains NaN"):
        code_error([[np.nan]], [[1.0]])
