import numpy as np
import pytest
import torch
from scipy import sparse

from sklearn_aensae.metrics import code_error, support_recovery
from sklearn_aensae.metrics._arrays import active_set, check_rows, row_batches, unit_rows


def test_row_batches_cover_every_row_once():
    slices = list(row_batches(np.empty((1000, 1024), dtype=np.int8)))
    assert [rows.start for rows in slices[1:]] == [rows.stop for rows in slices[:-1]]
    assert (slices[0].start, slices[-1].stop) == (0, 1000)
    assert max(rows.stop - rows.start for rows in slices) == 128


def test_row_batches_of_very_wide_rows_hold_one_row():
    assert list(row_batches(np.empty((2, 2**18), dtype=np.int8))) == [slice(0, 1), slice(1, 2)]


def test_row_batches_bound_what_is_computed_of_rows():
    rows = np.empty((1000, 16), dtype=np.int8)
    assert list(row_batches(rows, 4)) == list(row_batches(rows))
    assert max(part.stop - part.start for part in row_batches(rows, 1024)) == 128


def test_row_batches_of_sparse_rows_count_what_is_stored():
    assert list(row_batches(sparse.csr_array(sparse.eye(5000, 2**18, format="csr")))) == [
        slice(0, 5000)
    ]
    assert list(row_batches(sparse.csr_array((3, 4)))) == [slice(0, 3)]


def test_a_memory_map_is_not_copied(tmp_path):
    X = np.memmap(tmp_path / "X", dtype=np.float32, mode="w+", shape=(4, 3))
    assert np.shares_memory(check_rows(X, "X"), X)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_unit_rows_have_the_directions_of_rows_of_any_length(dtype):
    lengths = [2.0 ** (np.finfo(dtype).maxexp - 4), np.finfo(dtype).tiny, 1, 0]
    rows = np.outer(np.array(lengths, dtype), np.array([3, -4, 0, 0], dtype))
    units = unit_rows(rows)
    expected = np.outer([1, 1, 1, 0], [0.6, -0.8, 0, 0])
    np.testing.assert_allclose(units, expected, rtol=1e-12)
    assert units.dtype == np.float64
    assert rows[2, 0] == 3


def test_sparse_is_refused_where_it_makes_no_sense():
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        check_rows(sparse.csr_array(np.eye(2)), "X")


def test_active_set_drops_zeros_and_duplicates_of_a_copy():
    codes = sparse.csr_array(([1.0, -1.0, 0.0, 2.0], [0, 0, 1, 2], [0, 3, 4]), shape=(2, 3))
    active = active_set(codes)
    assert (active.nnz, codes.nnz) == (1, 4)
    np.testing.assert_array_equal(active.toarray(), [[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]])


@pytest.mark.parametrize("measure", [code_error, support_recovery])
@pytest.mark.parametrize(
    "matching",
    [
        3,
        "ab",
        ([0, 1],),
        ([0, 1], [0]),
        ([0.0, 1.0], [0, 1]),
        ([0, np.nan], [0, 1]),
        ([[0, 1]], [[0, 1]]),
        ([0, -1], [0, 1]),
        ([0, 1], [0, 4]),
        ([0, 3], [0, 1]),
        ([0, 0], [0, 1]),
        ([0, 1], [2, 2]),
        ([True, False], [0, 1]),
    ],
)
def test_a_matching_pairs_components(measure, matching):
    with pytest.raises(ValueError, match="matching must"):
        measure(np.ones((5, 3)), np.ones((5, 4)), matching)
    with pytest.raises(ValueError, match="columns"):
        measure(np.ones((5, 3)), np.ones((5, 4)))


def test_sparse_tensors_are_refused_by_name():
    codes = torch.eye(3).to_sparse()
    with pytest.raises(TypeError, match=r"codes is a tensor of layout torch.sparse_coo; give a de"):
        check_rows(codes, "codes", accept_sparse=True)
