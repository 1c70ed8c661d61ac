"""Batches, padding and the norm filter."""

import numpy as np
import pytest

from sklearn_aensae.llm.extraction import batches, collate, extract, inliers, pools
from sklearn_aensae.llm.tokens import Window


def window(n_tokens, *, first=1, text=0, unusable=()):
    usable = ~np.isin(np.arange(n_tokens), unusable)
    ids = np.arange(first, first + n_tokens)
    return Window(
        ids, np.full(n_tokens, text), np.arange(n_tokens), np.ones(n_tokens, bool), usable
    )


def test_pools_keep_groups_whole_and_lose_none():
    groups = [[window(2)] * size for size in (3, 1, 13, 40, 2)]
    sizes = [len(pool) for pool in pools(groups, max_batch_tokens=2)]
    assert sizes == [17, 40, 2]


def test_batches_hold_like_lengths():
    lengths = [4, 1, 9, 2, 9, 1]
    taken = list(batches([window(n) for n in lengths], max_batch_tokens=18))
    assert [[lengths[i] for i in batch] for batch in taken] == [[9, 9], [4], [2], [1, 1]]
    taken = list(batches([window(n) for n in lengths], max_batch_tokens=8))
    assert [[lengths[i] for i in batch] for batch in taken] == [[9], [9], [4], [2], [1, 1]]


@pytest.mark.parametrize("n_windows", [1, 50, 4000])
@pytest.mark.parametrize("max_batch_tokens", [512, 2048, 4096])
def test_padding_and_batches_are_below_their_limits(max_batch_tokens, n_windows):
    lengths = np.random.default_rng(0).integers(8, 257, size=n_windows)
    shapes = []
    for pool in pools(([window(n)] for n in lengths), max_batch_tokens):
        taken = list(batches(pool, max_batch_tokens))
        assert sorted(i for batch in taken for i in batch) == list(range(len(pool)))
        shapes += [(len(batch), max(len(pool[i].ids) for i in batch)) for batch in taken]
    sizes = np.prod(shapes, axis=1)
    assert sizes.max() <= max_batch_tokens
    assert 1 - lengths.sum() / sizes.sum() <= 0.12


def test_padding_is_on_the_right_and_masked(activations):
    inputs = collate(activations()._language_model(), [window(3), window(2, first=7)])
    assert inputs["input_ids"].tolist() == [[1, 2, 3], [7, 8, 0]]
    assert inputs["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]


def test_ids_the_model_does_not_know_are_refused(activations):
    with pytest.raises(ValueError, match="gives the id 300, the model has 300 embeddings"):
        collate(activations()._language_model(), [window(1, first=300)])


def test_rows_come_in_document_order_whatever_the_batches(activations):
    windows = [[window(n, first=n, text=n)] for n in (2, 7, 1, 5)]
    (chunk,) = extract(activations()._language_model(), windows, 2, None)
    for n, rows in zip((2, 7, 1, 5), np.split(chunk.rows, [2, 9, 10]), strict=True):
        (alone,) = extract(activations()._language_model(), [[window(n, first=n)]], 1, None)
        np.testing.assert_allclose(rows, alone.rows, atol=1e-6)


def test_inliers_are_measured_by_the_usable_tokens_alone():
    states = np.diag([1000.0, 1.0, 1.2, 5.0, 0.0]).astype(np.float32)  # the last row is padding
    window_ = window(4, unusable=[0])
    assert inliers(window_, states, None).tolist() == [False, True, True, True]
    # Their median norm is 1.2.
    assert inliers(window_, states, 4.0).tolist() == [False, True, True, False]
    assert inliers(window_, states, 4.2).tolist() == [False, True, True, True]


def test_a_window_without_usable_tokens_has_no_inliers():
    assert not inliers(window(2, unusable=[0, 1]), np.ones((2, 3), np.float32), 2.0).any()
