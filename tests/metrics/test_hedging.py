import numpy as np
import pytest
import torch

from sklearn_aensae.metrics import hedging_degree


def orthonormal(n, n_features, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(n_features, n)))[0].T


def chance(n_new, n_features, lengths, n_draws=20_000):
    """Mean projection of vectors of these lengths on random subspaces, by brute force."""
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(n_draws, n_features))
    norms = np.linalg.norm(vectors[:, :n_new], axis=1) / np.linalg.norm(vectors, axis=1)
    return np.mean(lengths) * norms.mean()


def test_atoms_that_stay_do_not_hedge():
    old = orthonormal(3, 20)
    assert hedging_degree(old, np.vstack([old, orthonormal(4, 20, seed=1)])) == 0.0


def test_a_movement_along_what_is_no_new_atom_is_no_hedging():
    e = np.eye(30)
    assert hedging_degree([e[0]], [e[1], e[2]]) == 0.0


@pytest.mark.parametrize("angle", [0.1, 0.4, 0.8])
def test_an_atom_that_gives_up_its_child(angle):
    """Before, the atom lies at an angle towards the child; after, the child has its own."""
    parent, child = orthonormal(2, 40)
    before = np.cos(angle) * parent + np.sin(angle) * child
    found = hedging_degree([before], [parent, child], n_draws=4000)
    # The movement has length 2 sin(angle / 2), and sin(angle) of it is along the child.
    expected = chance(1, 40, [2 * np.sin(angle / 2)])
    assert found == pytest.approx((np.sin(angle) - expected) / (1 - expected), abs=0.01)


def test_the_mean_over_atoms_counts():
    e = np.eye(200)
    hedged = (e[0] + e[1]) / np.sqrt(2)
    alone = hedging_degree([hedged], [e[0], e[1]], n_draws=500)
    among_ten = hedging_degree([hedged, *e[2:11]], [e[0], *e[2:11], e[1]], n_draws=500)
    assert among_ten == pytest.approx(alone / 10, abs=0.01)


def test_lengths_and_the_basis_of_the_span_are_irrelevant():
    e = np.eye(12)
    old = [[0.8, 0.6, *np.zeros(10)], [0, 0, 0.6, 0.8, *np.zeros(8)]]
    plain = hedging_degree(old, [e[0], e[2], e[1], e[3]])
    assert 0.2 < plain < 1
    scaled = np.array([[3.0], [0.1]]) * old
    turned = torch.tensor(np.array([7 * e[0], e[2], e[1] + e[3], -2 * (e[1] - e[3])]))
    assert hedging_degree(scaled, turned) == pytest.approx(plain, rel=1e-12)
    # A new atom twice, or none at all, adds no dimension.
    doubled = [e[0], e[2], e[1], e[3], e[3], 0 * e[3]]
    assert hedging_degree(old, doubled) == pytest.approx(plain, rel=1e-12)


def test_atoms_may_be_so_long_that_their_squares_are_infinite():
    old, extended = orthonormal(3, 9), np.random.default_rng(0).normal(size=(5, 9))
    plain = hedging_degree(old, extended)
    assert hedging_degree(1e200 * old, 1e-200 * extended) == pytest.approx(plain, rel=1e-12)


def test_new_atoms_that_are_all_zero_span_nothing():
    e = np.eye(3)
    assert hedging_degree([[0.8, 0.6, 0.0]], [e[0], 0 * e[0]]) == 0.0


def test_random_movements_are_chance():
    rng = np.random.default_rng(3)
    old, extended = rng.normal(size=(300, 50)), rng.normal(size=(310, 50))
    extended[:300] = old + 0.2 * extended[:300]
    assert hedging_degree(old, extended) == pytest.approx(0, abs=0.02)


def test_the_same_seed_gives_the_same_number():
    old, extended = orthonormal(3, 9), np.random.default_rng(0).normal(size=(5, 9))
    first, second, other = (
        hedging_degree(old, extended, n_draws=3, random_state=s) for s in (0, 0, 1)
    )
    assert first == second != other


@pytest.mark.parametrize(
    ("extended", "message"),
    [
        (np.eye(4)[:2], r"4 columns and more than 2 rows"),
        (np.eye(5)[:3], r"4 columns and more than 2 rows"),
        (np.vstack([np.eye(4)[:2], np.eye(4)]), "span all 4 features"),
        (np.full((3, 4), np.nan), "NaN"),
    ],
)
def test_bad_input(extended, message):
    with pytest.raises(ValueError, match=message):
        hedging_degree(np.eye(4)[:2], extended)


@pytest.mark.parametrize("n_draws", [0, -1])
def test_chance_needs_a_draw(n_draws):
    e = np.eye(4)
    with pytest.raises(ValueError, match=f"n_draws == {n_draws}"):
        hedging_degree([e[0] + e[1]], e[:2], n_draws=n_draws)
    with pytest.raises(TypeError, match="n_draws must be an instance of int"):
        hedging_degree([e[0] + e[1]], e[:2], n_draws=2.5)
