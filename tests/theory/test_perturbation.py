import numpy as np
import pytest
import torch
from helpers import exact_codes
from scipy import sparse

from sklearn_aensae import ElasticNetSAE, TopKSAE
from sklearn_aensae.datasets import make_spiked_dictionary
from sklearn_aensae.theory import empirical_lipschitz, lipschitz_bound, support_lipschitz


class Coder:
    """Codes by a function, in a container."""

    def __init__(self, function, container=np.asarray):
        self.transform = lambda X: container(function(X))


@pytest.fixture(scope="module")
def spiked():
    return make_spiked_dictionary(60, 12, 30, n_active=3, rho=0.9, random_state=0)


@pytest.mark.parametrize("container", [np.asarray, torch.tensor, sparse.csr_array])
def test_a_linear_map_stretches_directions_by_its_singular_values(container):
    matrix = np.random.default_rng(0).normal(size=(6, 4))
    left, lengths, _ = np.linalg.svd(matrix, full_matrices=False)
    X = np.random.default_rng(1).normal(size=(10, 6))
    coder = Coder(lambda X: X @ matrix, container)
    found = empirical_lipschitz(coder, X, directions=-3 * left.T, scale=0.1)
    assert found.ratios.shape == (10, 4)
    np.testing.assert_allclose(found.ratios, np.tile(lengths, (10, 1)), rtol=1e-9)
    np.testing.assert_allclose([found.max, found.mean], [lengths[0], lengths.mean()], rtol=1e-9)
    np.testing.assert_allclose(found.quantile([0.0, 1.0]), lengths[[-1, 0]], rtol=1e-9)
    at_random = empirical_lipschitz(coder, X, n_perturbations=50, random_state=0)
    assert 0 < at_random.max < lengths[0] * (1 + 1e-9)


def test_perturbations_are_as_long_as_scale_says():
    seen = []
    coder = Coder(lambda X: seen.append(X) or X)
    X = np.array([[3.0, 4.0], [0.0, 1.0]])
    empirical_lipschitz(coder, X, scale=0.5, n_perturbations=3, random_state=0)
    lengths = np.linalg.norm(np.array(seen[1:]) - seen[0], axis=2)
    np.testing.assert_allclose(lengths, 0.5 * np.sqrt(13), rtol=1e-12)


def test_random_directions_come_from_the_seed():
    X = np.eye(3)
    coder = Coder(np.abs)
    first, same, other = (
        empirical_lipschitz(coder, X, random_state=seed, scale=3.0).ratios for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


@pytest.mark.parametrize("scale", [1e-4, 0.3])
@pytest.mark.parametrize("lambda_2", [1e-3, 1e-2, 0.3])
def test_exact_codes_stay_below_the_bound(spiked, lambda_2, scale):
    X, _, atoms = spiked
    coder = Coder(lambda X: exact_codes(atoms, X, 0.05, lambda_2))
    found = empirical_lipschitz(coder, X, scale=scale, random_state=0)
    assert 0 < found.mean < found.max <= lipschitz_bound(atoms, lambda_2)


@pytest.mark.parametrize("lambda_2", [0.0, 1e-3, 0.1])
def test_on_one_support_the_steepest_direction_reaches_its_constant(spiked, lambda_2):
    X, _, atoms = spiked
    coder = Coder(lambda X: exact_codes(atoms, X, 0.05, lambda_2))
    for x in X[:5]:
        support = np.flatnonzero(coder.transform(x[np.newaxis])[0])
        _, lengths, right = np.linalg.svd(atoms[support], full_matrices=False)
        steepest = right[[np.argmax(lengths / (lengths**2 + 12 * lambda_2))]]
        found = empirical_lipschitz(coder, x[np.newaxis], directions=steepest, scale=1e-6)
        constant = support_lipschitz(atoms, support, lambda_2)
        np.testing.assert_allclose(found.max, constant, rtol=1e-5)
        others = empirical_lipschitz(coder, x[np.newaxis], scale=1e-6, random_state=0)
        assert others.max < constant


def test_estimators_by_method(spiked):
    X = spiked[0]
    sae = ElasticNetSAE(24, lambda_2=0.01, max_epochs=3, dtype="float64", random_state=0).fit(X)
    exact = empirical_lipschitz(sae, X, method="exact", random_state=0)
    assert exact.max <= lipschitz_bound(sae.components_, 0.01)
    encoder = empirical_lipschitz(sae, X, random_state=0)
    assert encoder.max <= np.linalg.norm(sae.encoder_weights_, 2)
    chosen = empirical_lipschitz(sae, torch.tensor(X), method="encoder", random_state=0)
    np.testing.assert_allclose(chosen.ratios, encoder.ratios, rtol=1e-12)
    sparse_codes = sae.set_params(sparse_output=True)
    again = empirical_lipschitz(sparse_codes, X, random_state=0)
    np.testing.assert_allclose(again.ratios, encoder.ratios, rtol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "scale"), [(np.float16, 1e-5), (np.float32, 1e-9), (np.float64, 1e-18)]
)
def test_a_move_that_rounding_swallows_is_named(spiked, dtype, scale):
    X = spiked[0].astype(dtype)
    with pytest.raises(ValueError, match=f"scale={scale:g} is too small .* {np.dtype(dtype)}"):
        empirical_lipschitz(Coder(np.abs), X, scale=scale, random_state=0)


def test_what_makes_no_sense_is_named(spiked):
    X = spiked[0]
    coder = Coder(np.abs)
    with pytest.raises(TypeError, match="object has no transform"):
        empirical_lipschitz(object(), X)
    top_k = TopKSAE(8, k=2, max_epochs=1).fit(X)
    with pytest.raises(TypeError, match="TopKSAE has no encode, which method='exact' asks for"):
        empirical_lipschitz(top_k, X, method="exact")
    with pytest.raises(ValueError, match="scale == 0"):
        empirical_lipschitz(coder, X, scale=0)
    with pytest.raises(ValueError, match="scale must be a number; got nan"):
        empirical_lipschitz(coder, X, scale=np.nan)
    with pytest.raises(ValueError, match="n_perturbations == 0"):
        empirical_lipschitz(coder, X, n_perturbations=0)
    with pytest.raises(ValueError, match="X holds nothing but 0"):
        empirical_lipschitz(coder, 0 * X)
    for wrong in (np.ones((2, 3)), np.zeros((1, 12))):
        with pytest.raises(ValueError, match="directions must have 12 columns"):
            empirical_lipschitz(coder, X, directions=wrong)


def test_names_of_columns_are_checked_and_not_missed(recwarn):
    pd = pytest.importorskip("pandas")
    X = np.random.default_rng(0).normal(size=(40, 3))
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    sae = ElasticNetSAE(6, max_epochs=2, dtype="float64", random_state=0).fit(frame)
    found = empirical_lipschitz(sae, frame, method="exact", random_state=0)
    assert not [w for w in recwarn if "feature names" in str(w.message)]
    with pytest.raises(ValueError, match="feature names should match"):
        empirical_lipschitz(sae, frame[["b", "a", "c"]], method="exact")
    same = empirical_lipschitz(sae.fit(X), X, method="exact", random_state=0)
    np.testing.assert_allclose(found.ratios, same.ratios, rtol=1e-6)
