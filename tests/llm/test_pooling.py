"""Rows of tokens to rows of texts, by hand."""

import numpy as np
import pytest

from sklearn_aensae.llm.pooling import pool

ROWS = np.array([[1, 9], [3, 5], [2, 2], [8, 0], [4, 4], [0, 8]], dtype=np.float32)
TEXT = np.array([4, 4, 5, 7, 7, 7])


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("last", [[3, 5], [2, 2], [0, 8]]),
        ("mean", [[2, 7], [2, 2], [4, 4]]),
        ("max", [[3, 9], [2, 2], [8, 8]]),
        ("tokens", ROWS),
    ],
)
def test_pooled_by_hand(how, expected):
    pooled = pool(ROWS, TEXT, how)
    np.testing.assert_array_equal(pooled, expected)
    assert pooled.dtype == np.float32


@pytest.mark.parametrize("how", ["last", "mean", "max", "tokens"])
def test_no_rows_pool_to_none(how):
    assert pool(ROWS[:0], TEXT[:0], how).shape == (0, 2)


def test_means_of_many_rows_are_summed_in_double_precision():
    rows = np.full((2**20, 1), 0.1, dtype=np.float32)
    assert pool(rows, np.zeros(len(rows), dtype=int), "mean")[0, 0] == np.float32(0.1)
