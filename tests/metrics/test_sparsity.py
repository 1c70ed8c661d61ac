import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from sklearn_aensae.metrics import dead_share, feature_density, l0, l1

CODES = np.array([[0.0, 0.0, 0.5, 0.0], [0.0, 2.0, 1.0, 0.0], [0.0, -4.0, 0.0, 0.0]])
CONTAINERS = [
    np.asarray,
    np.float16,
    np.ndarray.tolist,
    torch.tensor,
    lambda codes: torch.tensor(codes, dtype=torch.bfloat16),
    sparse.csr_array,
    sparse.csr_matrix,
    sparse.csc_array,
    pd.DataFrame,
]


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container(container):
    codes = container(CODES)
    assert l0(codes) == 4 / 3
    assert l1(codes) == 7.5 / 3
    np.testing.assert_array_equal(feature_density(codes), [0.0, 2 / 3, 2 / 3, 0.0])
    assert dead_share(codes) == 0.5
    assert dead_share(codes, n_samples=2) == 0.5
    assert dead_share(codes, n_samples=1) == 0.75


def test_stored_zeros_and_duplicates_are_not_active():
    codes = sparse.csr_array(([1.0, -1.0, 0.0, 2.0], [0, 0, 1, 2], [0, 3, 4]), shape=(2, 3))
    assert l0(codes) == 0.5
    assert l1(codes) == 1.0
    assert dead_share(codes) == 2 / 3
    assert codes.nnz == 4


def test_float16_does_not_overflow():
    assert l1(np.full((2, 4), 60000.0, dtype=np.float16)) == 4 * np.float16(60000.0).astype(float)


@pytest.mark.parametrize("metric", [l0, l1, feature_density, dead_share])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_refuses_what_it_cannot_judge(metric, container):
    with pytest.raises(ValueError, match="Input codes contains NaN"):
        metric(container([[0.0, np.nan]]))
    with pytest.raises(ValueError, match=r"codes must have two dimensions, got shape \(3,\)"):
        metric(np.ones(3))
    with pytest.raises(ValueError, match=r"0 sample"):
        metric(container(np.ones((0, 3))))


def test_dead_share_names_the_rows_it_lacks():
    with pytest.raises(ValueError, match="n_samples=4 rows were asked for, but only 3"):
        dead_share(CODES, n_samples=4)
