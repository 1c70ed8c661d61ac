"""Selection of active entries against a full sort."""

import numpy as np
import pytest
import torch

from sklearn_aensae.kernels import select_above, select_top, selection


def rows_of(selected, n_rows):
    """Values and columns of each row."""
    counts = selected.counts
    counts = [counts] * n_rows if isinstance(counts, int) else counts.tolist()
    return zip(selected.values.split(counts), selected.columns.split(counts), strict=True)


@pytest.mark.parametrize("n_columns", [5, 64, 96, 100, 1024, 1536])
@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("kind", [
    "continuous", "ties", "constant", "negative", "few", "infinite",
])  # fmt: skip
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_top_entries_are_those_of_a_sort(n_columns, k, kind, dtype):
    block = torch.randn(40, n_columns, generator=torch.Generator().manual_seed(n_columns))
    if kind == "ties":
        block = block.round()
    elif kind == "constant":
        block = torch.ones_like(block)
    elif kind == "negative":
        block = -block.abs()
    elif kind == "few":  # Hardly any is positive: an AuxK that does not rectify takes the others.
        block -= 2
    elif kind == "infinite":
        # As where components are left out of a choice.
        block[:, 3:] = -torch.inf
        block[:, 1] = torch.inf
    block = block.to(dtype)
    for row, (values, columns) in zip(block, rows_of(select_top(block, k), 40), strict=True):
        assert len(set(columns.tolist())) == k
        assert row[columns].equal(values)
        assert values.sort().values.equal(row.sort().values[-k:])


@pytest.mark.parametrize("n_columns", [2**14 - 1, 2**14, 2**14 + 1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_last_columns_that_keys_can_tell_apart(n_columns, dtype, monkeypatch):
    monkeypatch.setattr(selection, "FEW", 2**14)
    block = torch.zeros(2, n_columns, dtype=dtype)
    block[:, [0, 9, n_columns - 1]] = torch.tensor([1.0, 2.0, 3.0], dtype=dtype)
    columns = selection._largest(block, 3).sort().values
    assert columns.tolist() == 2 * [[0, 9, n_columns - 1]]


def test_neighbours_in_single_precision_are_told_apart():
    # Their difference is the last bit; where they lie must not outweigh it.
    block = torch.ones(1, 500)
    block[0, 3] = torch.nextafter(block[0, 3], torch.tensor(2.0))
    block[0, 499] = torch.nextafter(block[0, 3], torch.tensor(0.0))
    assert select_top(block, 1).columns.tolist() == [3]
    assert select_top(-block, 499).columns.sort().values.tolist() == [*range(3), *range(4, 500)]


def test_the_largest_entries_may_lie_anywhere():
    # One group of columns holds them all, at every level of the pyramid in turn.
    for stride in (1, 4, 16, 64):
        block = torch.zeros(1, 1024)
        where = torch.arange(5) * stride
        block[0, where] = torch.arange(5.0) + 1
        assert sorted(select_top(block, 5).columns.tolist()) == where.tolist()


@pytest.mark.parametrize("n_columns", [1, 8, 12, 64])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.04, 0.2, 1.0])
def test_entries_above_a_bound_whatever_their_share(n_columns, share):
    block = torch.rand(30, n_columns, generator=torch.Generator().manual_seed(n_columns)) - share
    bound = torch.linspace(-0.01, 0, n_columns)
    selected = select_above(-block, bound)
    rows, columns = np.nonzero((-block > bound).numpy())
    np.testing.assert_array_equal(selected.columns, columns)
    np.testing.assert_array_equal(selected.values, -block[rows, columns])
    np.testing.assert_array_equal(selected.counts, np.bincount(rows, minlength=30))


def test_positive_entries():
    block = torch.randn(6, 10, generator=torch.Generator().manual_seed(0))
    block[2], block[3] = -1, block[3].abs()
    for row, (values, columns) in zip(block, rows_of(select_above(block, 0.0), 6), strict=True):
        np.testing.assert_array_equal(columns, np.flatnonzero(row > 0))
        np.testing.assert_array_equal(values, row[row > 0])
    assert select_above(-block.abs(), 0.0).values.shape == (0,)
