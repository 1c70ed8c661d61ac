import numpy as np
import pytest
from helpers import exact_codes
from scipy import sparse
from sklearn.linear_model import ElasticNet

from sklearn_aensae.theory import irrepresentable_score, irrepresentable_scores


def make_problem(seed=0, n_samples=300, n_features=12, n_components=24, n_active=3):
    """Unit atoms, sparse positive codes and weights."""
    rng = np.random.default_rng(seed)
    atoms = rng.normal(size=(n_components, n_features)) + 0.3
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    codes = np.zeros((n_samples, n_components))
    for row in codes:
        row[rng.choice(n_components, n_active, replace=False)] = rng.uniform(0.3, 3, n_active)
    return atoms, codes, rng.uniform(0.5, 2, n_components)


def test_orthonormal_atoms_do_not_disturb_one_another():
    atoms = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]
    found = irrepresentable_score(atoms, [1, 4], [2.0, 0.5], lambda_1=0.1, lambda_2=0.05)
    np.testing.assert_allclose(np.delete(found.scores, [1, 4]), 0, atol=1e-14)
    assert np.isnan(found.scores[[1, 4]]).all()
    # Each code loses n lambda_1 / 2 and is divided by 1 + n lambda_2.
    np.testing.assert_allclose(found.codes, (np.array([2.0, 0.5]) - 0.3) / 1.3, rtol=1e-12)
    assert found.recovers


def test_one_active_atom_and_one_with_a_cosine_to_it():
    c, n, h, l1, l2, w = 0.7, 2, 3.0, 0.2, 0.05, np.array([0.8, 1.5])
    atoms = [[1.0, 0.0], [c, np.sqrt(1 - c**2)]]
    found = irrepresentable_score(atoms, [0], [h], lambda_1=l1, lambda_2=l2, weights=w)
    expected = c * (w[0] + 2 * l2 / l1 * h) / (1 + n * l2) / w[1]
    np.testing.assert_allclose([found.score, found.scores[1]], expected, rtol=1e-12)
    opposite = irrepresentable_score(
        [atoms[0], [-c, 0.1]], [0], [h], lambda_1=l1, lambda_2=l2, weights=w
    )
    np.testing.assert_allclose(opposite.score, -expected, rtol=1e-12)
    signed = irrepresentable_score(
        [atoms[0], [-c, 0.1]], [0], [h], lambda_1=l1, lambda_2=l2, weights=w, signed=True
    )
    np.testing.assert_allclose(signed.score, expected, rtol=1e-12)


def test_equiangular_atoms_of_a_lasso():
    # g_jA G_AA^-1 1 with G_AA 1 = (1 + (k - 1) c) 1.
    c, k = 0.5, 3
    atoms = np.linalg.cholesky(np.full((5, 5), c) + (1 - c) * np.eye(5))
    found = irrepresentable_score(atoms, [0, 2, 4], [1.0, 2.0, 3.0], lambda_1=0.01)
    np.testing.assert_allclose(found.scores[[1, 3]], k * c / (1 + (k - 1) * c), rtol=1e-12)


@pytest.mark.parametrize("lambda_2", [0.0, 1e-3, 3e-3])
@pytest.mark.parametrize("weighted", [False, True])
def test_exact_codes_have_the_support_if_and_only_if_it_says_so(lambda_2, weighted):
    atoms, codes, weights = make_problem()
    weights = weights if weighted else np.ones_like(weights)
    params = {"lambda_1": 0.02, "lambda_2": lambda_2, "weights": weights}
    found = irrepresentable_scores(atoms, codes, **params)
    exact = exact_codes(atoms, codes @ atoms, **params)
    same = ((exact > 1e-9) == (codes > 0)).all(axis=1)
    assert np.abs(found.scores - 1).min() > 1e-6
    assert 10 < same.sum() < 290
    np.testing.assert_array_equal(found.recovers, same)
    outside = ((exact > 1e-9) & (codes == 0)).any(axis=1)
    for i in range(40):
        support = np.flatnonzero(codes[i])
        one = irrepresentable_score(atoms, support, codes[i, support], **params)
        assert one.score == found.scores[i]
        assert one.recovers == found.recovers[i]
        if one.codes.min() > 0:
            assert outside[i] == (one.score > 1)
        if one.recovers:
            np.testing.assert_allclose(exact[i, support], one.codes, rtol=1e-7)


@pytest.mark.parametrize("lambda_2", [0.0, 0.001])
def test_signed_codes_of_scikit_learn(lambda_2):
    atoms, codes, _ = make_problem(seed=1, n_samples=40)
    codes *= np.random.default_rng(2).choice([-1, 1], codes.shape)
    found = irrepresentable_scores(atoms, codes, lambda_1=0.02, lambda_2=lambda_2, signed=True)
    alpha = 0.01 + lambda_2
    net = ElasticNet(
        alpha=alpha, l1_ratio=0.01 / alpha, fit_intercept=False, tol=1e-10, max_iter=100_000
    )
    exact = net.fit(atoms.T, (codes @ atoms).T).coef_
    same = (np.sign(np.where(np.abs(exact) > 1e-7, exact, 0)) == np.sign(codes)).all(axis=1)
    assert 2 < same.sum() < 38
    np.testing.assert_array_equal(found.recovers, same)


def test_atoms_that_are_nearly_the_same_keep_their_digits():
    # D_A d = (1, 1) for d = (1, 0): that the atoms differ in the second feature changes nothing.
    atoms = np.array([[1.0, 0.0], [1.0, 1e-7], [0.6, 0.8]])
    turn = [[np.cos(0.3), np.sin(0.3)], [-np.sin(0.3), np.cos(0.3)]]
    found = irrepresentable_score(atoms @ turn, [0, 1], [1.0, 1.0], lambda_1=0.1)
    assert found.score == pytest.approx(0.6, rel=1e-8)


def test_more_atoms_than_features_share_a_row_under_a_ridge():
    atoms, h = np.array([[1.0], [2.0], [3.0], [1.5]]), np.array([1.0, 2.0, 3.0])
    found = irrepresentable_score(atoms, [0, 1, 2], h, lambda_1=0.2, lambda_2=0.3)
    loss = np.linalg.solve(atoms[:3] @ atoms[:3].T + 0.3 * np.eye(3), 1 + 2 * 0.3 / 0.2 * h)
    np.testing.assert_allclose(found.codes, h - 0.1 * loss, rtol=1e-12)
    np.testing.assert_allclose(found.score, 1.5 * atoms[:3, 0] @ loss, rtol=1e-12)


@pytest.mark.parametrize(
    ("atom", "lambda_2"), [([1.0, 1e-10], 0.0), ([1.0, 0.0], 0.0), ([1.0, 0.0], 1e-20)]
)
def test_atoms_that_rounding_cannot_tell_apart_are_named(atom, lambda_2):
    atoms = [[1.0, 0.0], atom, [0.0, 1.0]]
    given = {"lambda_1": 0.1, "lambda_2": lambda_2}
    for support, values in ([0, 1], [1.0, 1.0]), ([0, 1, 2], [1.0, 2.0, 1.0]):
        with pytest.raises(ValueError, match=r"support \[0, 1.* dependent .* lambda_2"):
            irrepresentable_score(atoms, support, values, **given)
    with pytest.raises(ValueError, match=r"support \[0, 1\] are linearly dependent"):
        irrepresentable_scores(atoms, [[1.0, 2.0, 0.0]], **given)


def test_sparse_rows_and_a_row_without_codes():
    atoms, codes, _ = make_problem(n_samples=5)
    codes[2] = 0
    dense = irrepresentable_scores(atoms, codes, lambda_1=0.02)
    found = irrepresentable_scores(atoms, sparse.csr_array(codes), lambda_1=0.02)
    np.testing.assert_array_equal(found.scores, dense.scores)
    assert (found.scores[2], found.recovers[2]) == (0, True)


def test_all_components_are_in_the_support():
    found = irrepresentable_score(np.eye(2), [0, 1], [1.0, 1.0], lambda_1=0.1)
    assert (found.score, found.recovers) == (-np.inf, True)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"values": [1.0]}, "values must hold 2 finite numbers"),
        ({"values": [1.0, np.nan]}, "values must hold 2 finite numbers"),
        ({"values": [1.0, -1.0]}, "values holds negative codes: signed=True"),
        ({"values": [1.0, 0.0]}, "values is 0 for a component of the support"),
        ({"weights": [1.0, 0.0, 1.0]}, "weights must be positive"),
        ({"values": "a"}, "values must hold 2 finite numbers; got 'a'"),
        ({"weights": [1.0]}, "weights must hold 3 finite numbers"),
        ({"lambda_1": 0.0}, "lambda_1 == 0"),
        ({"lambda_2": -1.0}, "lambda_2 == -1"),
        ({"lambda_1": np.nan}, "lambda_1 must be a number; got nan"),
        ({"support": [0, 2]}, r"support \[0, 2\] are linearly dependent"),
    ],
)
def test_what_makes_no_sense_is_named(changed, message):
    given = {"support": [0, 1], "values": [1.0, 2.0], "lambda_1": 0.1} | changed
    with pytest.raises(ValueError, match=message):
        irrepresentable_score([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], **given)


def test_a_strength_is_a_number():
    with pytest.raises(TypeError, match="lambda_1 must be an instance of float"):
        irrepresentable_scores(np.eye(2), np.eye(2), lambda_1="much")
