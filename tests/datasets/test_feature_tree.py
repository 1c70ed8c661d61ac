import numpy as np
import pytest
from scipy import sparse

from sklearn_aensae.datasets import make_feature_tree


def test_data_are_codes_times_dictionary():
    X, codes, dictionary, _ = make_feature_tree(50, 6, random_state=0)
    assert isinstance(codes, sparse.csr_array)
    assert codes.shape == (50, 32)
    np.testing.assert_allclose(X, codes.toarray() @ dictionary, rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(dictionary, axis=1), 1.0)
    assert codes.data.min() >= 1.0
    assert codes.data.max() <= 3.0


def test_parents_come_level_by_level():
    _, _, dictionary, parents = make_feature_tree(5, n_roots=2, n_children=2, depth=3)
    assert parents.tolist() == [-1, -1, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert len(dictionary) == 14
    assert make_feature_tree(5, n_roots=3, depth=1)[3].tolist() == [-1, -1, -1]


def test_a_child_is_active_only_with_its_parent_and_as_often_as_asked():
    probabilities = {"root_probability": 0.4, "child_probability": 0.25}
    _, codes, _, parents = make_feature_tree(40_000, depth=3, random_state=0, **probabilities)
    active = codes.toarray() > 0
    for child, parent in enumerate(parents):
        if parent < 0:
            assert active[:, child].mean() == pytest.approx(0.4, abs=0.02)
            continue
        assert active[active[:, child], parent].all()
        assert active[active[:, parent], child].mean() == pytest.approx(0.25, abs=0.04)
    # Siblings are independent of one another, given their parent.
    first, second = np.flatnonzero(parents == 0)[:2]
    together = active[active[:, 0]][:, [first, second]].all(axis=1).mean()
    assert together == pytest.approx(0.25**2, abs=0.02)


def test_noise_has_its_standard_deviation_and_changes_nothing_else():
    quiet, codes, dictionary, parents = make_feature_tree(2000, random_state=0)
    noisy = make_feature_tree(2000, noise_std=0.5, random_state=0)
    np.testing.assert_array_equal(noisy[1].toarray(), codes.toarray())
    np.testing.assert_array_equal(noisy[2], dictionary)
    np.testing.assert_array_equal(noisy[3], parents)
    np.testing.assert_allclose((noisy[0] - quiet).std(), 0.5, rtol=0.02)


def test_random_state_decides():
    first, again, other = (make_feature_tree(20, random_state=seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_dtype_is_that_of_data_codes_and_dictionary():
    single = make_feature_tree(20, noise_std=0.1, dtype=np.float32, random_state=0)
    assert {array.dtype for array in single[:3]} == {np.dtype(np.float32)}
    double = make_feature_tree(20, noise_std=0.1, random_state=0)
    np.testing.assert_allclose(single[0], double[0], atol=1e-5)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"n_samples": 0}, ValueError, "n_samples == 0"),
        ({"n_features": 0}, ValueError, "n_features == 0"),
        ({"n_roots": 0}, ValueError, "n_roots == 0"),
        ({"n_children": 0}, ValueError, "n_children == 0"),
        ({"depth": 1.5}, TypeError, "depth must be an instance of"),
        ({"root_probability": 1.5}, ValueError, "root_probability == 1.5, must be <= 1"),
        ({"child_probability": -0.1}, ValueError, "child_probability == -0.1, must be >= 0"),
        ({"root_probability": np.nan}, ValueError, "root_probability must be a number; got nan"),
        ({"child_probability": np.nan}, ValueError, "child_probability must be a number; got nan"),
        ({"noise_std": -1.0}, ValueError, "noise_std must be finite and not negative, got -1.0"),
        ({"dtype": np.float16}, ValueError, "dtype must be float64 or float32, got float16"),
    ],
)
def test_refuses_what_makes_no_sense(parameters, error, message):
    with pytest.raises(error, match=message):
        make_feature_tree(**parameters)
