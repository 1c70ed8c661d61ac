import numpy as np
import pytest
from helpers import make_data, quick

from sklearn_aensae import L1SAE, Crosscoder
from sklearn_aensae.model_selection._strengths import as_strengths, largest_strength

X = make_data()


def test_no_code_is_worth_the_largest_strength():
    sae = quick(L1SAE, input_scaling=None, dtype="float64").fit(X)
    centred = X - X.mean(0)
    top = largest_strength(sae, X)
    assert top == pytest.approx(2 / X.shape[1] * np.linalg.norm(centred, axis=1).max())
    # The atom that points at the farthest row is the last one that would be active.
    farthest = centred[np.linalg.norm(centred, axis=1).argmax()]
    sae.net_.module_.decoder.atoms.data[0] = sae.net_.module_.decoder.atoms.new_tensor(
        farthest / np.linalg.norm(farthest)
    )
    sae.net_.module_.decoder.bias.data.copy_(sae.net_.module_.decoder.bias.new_tensor(X.mean(0)))
    sae._write_fitted()
    for share, least in ((0.999, 1), (1.001, 0)):
        sae.lambda_1_ = share * top
        active = (sae.encode(X, "exact") > 0).sum()
        assert active >= least
        assert active <= 1


def test_units_are_those_of_training():
    sae, views = quick(L1SAE), quick(Crosscoder)
    assert largest_strength(sae, 1000 * X) == pytest.approx(largest_strength(sae, X))
    whitened = quick(L1SAE, input_scaling="whiten")
    assert largest_strength(whitened, 1000 * X) == pytest.approx(largest_strength(whitened, X))
    assert largest_strength(views, X) > 0
    assert largest_strength(sae, np.ones((5, 4))) > 0


def test_a_number_of_strengths():
    strengths = as_strengths(4, 0.01, quick(L1SAE), X)
    top = largest_strength(quick(L1SAE), X)
    np.testing.assert_allclose(strengths, top * 0.01 ** np.array([1, 0.75, 0.5, 0.25]))
    np.testing.assert_array_equal(as_strengths([0.1, 0], 0.9, quick(L1SAE), X), [0.1, 0.0])


@pytest.mark.parametrize("lambdas", [0, True, [], [[1.0]], [-1.0], [np.nan], "many", None, 2.5])
def test_bad_strengths(lambdas):
    with pytest.raises(ValueError, match="lambdas must be"):
        as_strengths(lambdas, 0.01, quick(L1SAE), X)


def test_bad_requests():
    with pytest.raises(ValueError, match="lambdas must be finite"):
        as_strengths([np.inf], 0.01, quick(L1SAE), X)
    with pytest.raises(ValueError, match="eps must be"):
        as_strengths(3, 1.0, quick(L1SAE), X)
    with pytest.raises(ValueError, match="eps must be"):
        as_strengths([0.1], 9, quick(L1SAE), X)
