import numpy as np
import pytest
import torch
from scipy import sparse

from sklearn_aensae.datasets import make_feature_tree
from sklearn_aensae.metrics import _arrays, parent_coverage


def naive(codes, parents):
    result = []
    for child, parent in enumerate(parents):
        rows = codes[codes[:, child] != 0]
        covered = np.ones(len(rows)) if parent < 0 else rows[:, parent] != 0
        result.append(covered.mean() if len(rows) else np.nan)
    return np.array(result)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, torch.tensor])
@pytest.mark.parametrize("batch_entries", [7, 2**17])
def test_against_a_loop(container, batch_entries, monkeypatch):
    monkeypatch.setattr(_arrays, "_BATCH_ENTRIES", batch_entries)
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(50, 9)) * (rng.random((50, 9)) < 0.3)
    codes[:, 4] = 0
    parents = np.array([-1, 0, 0, 1, 2, 4, 8, -1, 3])
    expected = naive(codes, parents)
    assert np.isnan(expected).tolist() == [False] * 4 + [True] + [False] * 4
    assert expected[5] == 0
    np.testing.assert_allclose(parent_coverage(container(codes), parents), expected)


def test_true_trees_are_covered_and_shuffled_ones_are_not():
    _, codes, _, parents = make_feature_tree(2000, random_state=0)
    np.testing.assert_array_equal(parent_coverage(codes, parents), 1)
    strangers = np.where(parents >= 0, (parents + 1) % 8, -1)
    assert parent_coverage(codes, strangers)[8:].max() < 0.3


@pytest.mark.parametrize(
    ("parents", "message"),
    [
        ([-1, 0], "3 integers, .* got shape \\(2,\\)"),
        ([-1.0, 0.0, 1.0], "dtype float64"),
        ([-1, 0, 3], r"in \[0, 2\]; got values from -1 to 3"),
        ([-2, 0, 1], "from -2 to 1"),
    ],
)
def test_parents_that_are_none(parents, message):
    with pytest.raises(ValueError, match=message):
        parent_coverage(np.ones((2, 3)), parents)
