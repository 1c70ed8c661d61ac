import numpy as np
import pytest
from scipy import sparse

from sklearn_aensae.datasets import make_interactions


def test_data_are_the_sum_and_the_products_of_pairs():
    X, codes, dictionary, pairs, directions = make_interactions(
        200, 6, 5, n_active=3, n_interactions=4, strength=-0.7, random_state=0
    )
    assert isinstance(codes, sparse.csr_array)
    assert codes.shape == (200, 5)
    z = codes.toarray()
    expected = z @ dictionary
    for (i, j), direction in zip(pairs, directions, strict=True):
        assert i < j
        expected += -0.7 * (z[:, i] * z[:, j])[:, None] * direction
    np.testing.assert_allclose(X, expected, rtol=1e-10)
    assert len({tuple(pair) for pair in pairs}) == 4
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1.0)
    np.testing.assert_allclose(np.linalg.norm(dictionary, axis=1), 1.0)
    assert (np.count_nonzero(z, axis=1) == 3).all()


def test_pairs_are_together_as_often_as_stated():
    _, codes, _, pairs, _ = make_interactions(40_000, n_interactions=3, random_state=0)
    active = codes.toarray() > 0
    for i, j in pairs:
        share = (active[:, i] & active[:, j]).mean()
        assert share == pytest.approx(4 * 3 / (16 * 15), abs=0.005)


def test_without_interactions_nothing_is_added():
    X, codes, dictionary, pairs, directions = make_interactions(50, n_interactions=0)
    np.testing.assert_allclose(X, codes @ dictionary, rtol=1e-12)
    assert pairs.shape == (0, 2)
    assert directions.shape == (0, 32)


def test_random_state_noise_and_dtype():
    first, again, other = (make_interactions(20, random_state=seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    noisy = make_interactions(2000, noise_std=0.5, random_state=0)[0]
    quiet = make_interactions(2000, random_state=0)[0]
    np.testing.assert_allclose((noisy - quiet).std(), 0.5, rtol=0.02)
    single = make_interactions(20, dtype=np.float32, random_state=0)
    assert {single[i].dtype for i in (0, 1, 2, 4)} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"n_samples": 0}, ValueError, "n_samples == 0"),
        ({"n_components": 0}, ValueError, "n_components == 0"),
        ({"n_active": 17}, ValueError, "n_active == 17, must be <= 16"),
        ({"n_interactions": 121}, ValueError, "n_interactions == 121, must be <= 120"),
        ({"n_interactions": 0.5}, TypeError, "n_interactions must be an instance of"),
        ({"strength": np.inf}, ValueError, "strength must be finite, got inf"),
        ({"noise_std": -1.0}, ValueError, "noise_std must be finite and not negative, got -1.0"),
        ({"dtype": np.float16}, ValueError, "dtype must be float64 or float32, got float16"),
    ],
)
def test_refuses_what_makes_no_sense(parameters, error, message):
    with pytest.raises(error, match=message):
        make_interactions(**parameters)
