"""A refit that is refused leaves the earlier fit whole."""

import numpy as np
import pytest
from helpers import given, make_data, quick

from sklearn_aensae import L1SAE, Crosscoder, TopKSAE, Transcoder, fit_many

X = make_data()


class Unfinished(L1SAE):
    """Fails as the net is assembled."""

    def _make_terms(self, plan):
        return {"l0": super()._make_terms(plan)["l1"]} if self.verbose else {}


REFUSED = {
    "a parameter": (L1SAE, {"target_l0": 1000}, 100 * X),
    "a parameter and a scaling": (TopKSAE, {"multi_k": 2, "input_scaling": None}, 100 * X),
    "a term": (Unfinished, {"verbose": True}, 100 * X),
    "NaN": (L1SAE, {}, X * np.nan),
    "no component": (TopKSAE, {"n_components": 0.01}, X[:, :3]),
    "weights of other shapes": (TopKSAE, {"warm_start": True}, X[:, :3]),
    "a stream without a length": (L1SAE, {}, iter([X[:, :3]])),
    "all rows held out": (L1SAE, {"validation_fraction": 0.99}, X[:2, :3]),
}


@pytest.mark.parametrize(("cls", "changed", "rows"), REFUSED.values(), ids=REFUSED.keys())
def test_the_earlier_fit_stays_whole(cls, changed, rows):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X).add_prefix("x")
    sae = quick(cls).fit(frame)
    given = sae.get_params()
    before, codes, score = vars(sae).copy(), sae.transform(frame), sae.score(frame)
    n_rows_logged = len(sae.history_["step"])
    with pytest.raises(ValueError):
        sae.set_params(**changed).fit(rows)
    sae.set_params(**given)
    assert vars(sae).keys() == before.keys()
    assert all(vars(sae)[name] is value for name, value in before.items())
    assert len(sae.history_["step"]) == n_rows_logged
    np.testing.assert_array_equal(sae.transform(frame), codes)
    assert sae.score(frame) == score


def test_targets_and_views_too():
    coder = quick(Crosscoder, view_sizes=(4, 4), warm_start=True).fit(X)
    before = coder.transform(X)
    with pytest.raises(ValueError, match="needs the views of the last fit"):
        coder.set_params(view_sizes=(2, 6)).fit(100 * X)
    np.testing.assert_array_equal(coder.transform(X), before)
    transcoder = quick(Transcoder).fit(X, X)
    before = transcoder.predict(X)
    with pytest.raises(ValueError, match="y has 3 rows"):
        transcoder.fit(X[:, :2], X[:3])
    np.testing.assert_array_equal(transcoder.predict(X), before)


@pytest.mark.parametrize(
    ("cls", "input_scaling"),
    [(L1SAE, "whiten"), (L1SAE, None), (Crosscoder, "mean_norm"), (Transcoder, "mean_norm")],
)
def test_other_columns_are_refused_by_name(cls, input_scaling):
    sae = quick(cls, input_scaling=input_scaling, warm_start=True).fit(*given(cls, X))
    with pytest.raises(ValueError, match=r"shapes of the last fit: n_features was 8 .* be 4\."):
        sae.fit(*given(cls, X[:, :4]))
    if cls is Transcoder:
        with pytest.raises(ValueError, match=r"shapes of the last fit: n_targets was 12 .* be 2\."):
            sae.fit(X, X[:, :2])


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_what_was_not_fitted_is_not_half_fitted(method):
    sae = quick(TopKSAE, multi_k=2)
    before = vars(sae).copy()
    with pytest.raises(ValueError, match="multi_k must be more than"):
        getattr(sae, method)(X)
    assert vars(sae) == before


def test_of_several_none_is_changed():
    good, bad = quick(TopKSAE).fit(X), quick(TopKSAE, multi_k=2)
    before, codes = vars(good).copy(), good.transform(X)
    with pytest.raises(ValueError, match="multi_k must be more than"):
        fit_many([good, bad], 100 * X)
    assert all(vars(good)[name] is value for name, value in before.items())
    assert not hasattr(bad, "net_")
    np.testing.assert_array_equal(good.transform(X), codes)
