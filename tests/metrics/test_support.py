import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.metrics import precision_recall_fscore_support

from sklearn_aensae.datasets import make_sparse_codes
from sklearn_aensae.metrics import dictionary_recovery, support_recovery


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, torch.tensor])
def test_support_recovery_matches_scikit_learn(container):
    rng = np.random.default_rng(0)
    codes, true_codes = rng.random((2, 40, 15)) * (rng.random((2, 40, 15)) < 0.3)
    expected = precision_recall_fscore_support(
        (true_codes != 0).ravel(), (codes != 0).ravel(), average="binary"
    )
    actual = support_recovery(container(codes), container(true_codes))
    np.testing.assert_allclose(actual, expected[:3], rtol=1e-12)


def test_support_recovery_along_a_matching():
    _, codes, dictionary = make_sparse_codes(200, 16, 24, n_active=3, random_state=0)
    order = np.random.default_rng(1).permutation(24)
    recovery = dictionary_recovery(dictionary[order], dictionary)
    assert support_recovery(codes[:, order], codes, recovery.matching) == (1.0, 1.0, 1.0)
    assert support_recovery(codes[:, order], codes).f1 < 0.5


def test_support_recovery_without_partners_counts_what_is_missed_and_what_is_wrong():
    true_codes = np.array([[1.0, 1.0, 0.0]])
    matching = (np.array([1]), np.array([0]))
    recovery = support_recovery(np.array([[1.0, 1.0]]), true_codes, matching)
    assert recovery == (0.5, 0.5, 0.5)


def test_support_recovery_of_silent_codes_is_zero():
    assert support_recovery(np.zeros((2, 3)), np.eye(2, 3)) == (0.0, 0.0, 0.0)
    assert support_recovery(np.zeros((2, 3)), np.zeros((2, 3))) == (0.0, 0.0, 0.0)


def test_support_recovery_needs_the_same_rows_and_components():
    with pytest.raises(ValueError, match=r"got \(2, 2\) and \(3, 2\)"):
        support_recovery(np.ones((2, 2)), np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"got \(2, 2\) and \(2, 3\)"):
        support_recovery(np.ones((2, 2)), np.ones((2, 3)))
