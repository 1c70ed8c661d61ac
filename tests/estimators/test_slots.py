"""Codes side by side in slots, and back."""

import numpy as np
import pytest
import torch

from sklearn_aensae.estimators._slots import to_codes, to_slots
from sklearn_aensae.kernels import ActiveCodes, DenseCodes, Pattern

DENSE = torch.tensor([[0.0, 3.0, 1.0, 2.0], [0.0, 0.0, 0.0, 0.0], [4.0, 0.0, 0.0, 0.5]])


def sparse_codes():
    """The same, with an entry that is 0."""
    columns = torch.tensor([1, 2, 3, 2, 0, 3], dtype=torch.int32)
    starts = torch.tensor([0, 3, 4, 6], dtype=torch.int32)
    return ActiveCodes(torch.tensor([3.0, 1.0, 2.0, 0.0, 4.0, 0.5]), Pattern(columns, starts, 4))


@pytest.mark.parametrize("codes", [DenseCodes(DENSE), sparse_codes()], ids=["dense", "sparse"])
@pytest.mark.parametrize(("most", "n_slots"), [(None, 3), (9, 3), (2, 2), (1, 1)])
def test_slots_hold_the_largest_codes(codes, most, n_slots):
    columns, values = to_slots(codes, most)
    assert columns.shape == values.shape == (3, n_slots)
    found = to_codes(columns, values, 4)
    expected = DENSE.clone()
    if most is not None and most < 3:
        least = DENSE.topk(most, dim=1).values[:, -1:]
        expected[least > DENSE] = 0
    np.testing.assert_array_equal(found.dense(), expected)
    assert (found.values > 0).all()


def test_no_rows_and_no_codes_have_one_empty_slot():
    for codes in (DenseCodes(torch.zeros(0, 4)), DenseCodes(torch.zeros(2, 4))):
        columns, values = to_slots(codes)
        assert values.shape == (codes.n_rows, 1) and not values.any()
        assert to_codes(columns, values, 4).dense().shape == (codes.n_rows, 4)
    nothing = torch.zeros(0, dtype=torch.int32)
    none = ActiveCodes(torch.zeros(0), Pattern(nothing, torch.zeros(3, dtype=torch.int32), 4))
    assert to_slots(none)[1].shape == (2, 1)
