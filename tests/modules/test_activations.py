"""Activations against a loop that is obviously right."""

import numpy as np
import pytest
import torch
from helpers import codes_of

from sklearn_aensae.modules.activations import ReLU, TopK


def naive_relu(row):
    return np.maximum(row, 0)


def naive_topk(k):
    def keep(row):
        kept = np.zeros_like(row)
        for i in sorted(range(len(row)), key=lambda i: -row[i])[:k]:
            kept[i] = max(row[i], 0)
        return kept

    return keep


CASES = [(ReLU(), naive_relu), *((TopK(k), naive_topk(k)) for k in (1, 3, 9))]


@pytest.mark.parametrize(("activation", "naive"), CASES, ids=["relu", "top1", "top3", "all"])
def test_against_a_loop(activation, naive):
    pre_codes = torch.randn(20, 9, generator=torch.Generator().manual_seed(0))
    pre_codes[0] = -1  # nothing to keep
    expected = np.stack([naive(row) for row in pre_codes.numpy()])
    codes = codes_of(activation, pre_codes)
    np.testing.assert_array_equal(codes.dense(), expected)
    for row, code in zip(pre_codes, expected, strict=True):
        np.testing.assert_array_equal(codes_of(activation.eval(), row[None]).dense()[0], code)


@pytest.mark.parametrize(("activation", "naive"), CASES, ids=["relu", "top1", "top3", "all"])
def test_features_may_be_permuted(activation, naive):
    pre_codes = torch.randn(20, 9, generator=torch.Generator().manual_seed(1))
    order = torch.randperm(9, generator=torch.Generator().manual_seed(2))
    permuted = codes_of(activation, pre_codes[:, order]).dense()
    np.testing.assert_array_equal(permuted, codes_of(activation, pre_codes).dense()[:, order])


def test_gradient_flows_through_kept_codes_only():
    pre_codes = torch.tensor([[3.0, 1.0, 2.0, -1.0]], requires_grad=True)
    codes_of(TopK(2), pre_codes).row_sums().sum().backward()
    assert pre_codes.grad.tolist() == [[1, 0, 1, 0]]


def test_duplicated_maxima_fill_the_slots():
    codes = codes_of(TopK(2), torch.ones(3, 5))
    assert codes.firing_counts.sum() == 6
    assert (codes.dense() > 0).sum(1).tolist() == [2, 2, 2]


def test_repr_names_k():
    assert repr(TopK(5)) == "TopK(k=5)"
