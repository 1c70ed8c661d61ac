"""ArchetypalSAE: atoms in the hull of the data, its attributes, more of the same in each seed."""

import numpy as np
import pytest
from helpers import make_data, quick
from scipy.optimize import nnls

from sklearn_aensae import ArchetypalSAE, TopKSAE, load
from sklearn_aensae.datasets import make_sparse_codes
from sklearn_aensae.metrics import dictionary_recovery

X = make_data()


@pytest.mark.parametrize("candidates", ["rows", "kmeans"])
@pytest.mark.parametrize("n_candidates", [10, 50])
def test_atoms_stay_in_the_hull(candidates, n_candidates):
    sae = quick(
        ArchetypalSAE, n_candidates=n_candidates, candidates=candidates, delta=0.0, max_epochs=20,
        dtype="float64",
    ).fit(X)  # fmt: skip
    scale = np.exp(float(sae.net_.module_.decoder.log_scale.detach()))
    C = sae.candidates_ * sae.input_scale_
    np.testing.assert_allclose(sae.components_, scale * sae.shares_ @ C, atol=1e-12)
    assert sae.shares_.min() >= 0
    np.testing.assert_allclose(sae.shares_.sum(axis=1), 1)
    assert (sae.components_ / scale <= C.max(axis=0) + 1e-12).all()
    assert (sae.components_ / scale >= C.min(axis=0) - 1e-12).all()
    assert (np.count_nonzero(sae.shares_, axis=1) > 1).any()
    # In the hull of the data themselves, as each candidate is a mean of rows.
    origin = X.mean(axis=0)
    rows = np.column_stack([X - origin, np.ones(len(X))]).T
    for atom in sae.components_[:5] / scale / sae.input_scale_:
        assert nnls(rows, [*atom, 1.0])[1] < 1e-8


def test_atoms_stay_within_delta_of_the_hull():
    sae = quick(ArchetypalSAE, n_candidates=10, delta=0.3, max_epochs=20, learning_rate=0.01).fit(X)
    scale = np.exp(float(sae.net_.module_.decoder.log_scale.detach()))
    hull = scale * sae.shares_ @ (sae.candidates_ * sae.input_scale_)
    distances = np.linalg.norm(sae.components_ - hull, axis=1) / scale
    assert distances.max() <= 0.3 + 1e-5
    assert distances.max() > 0.29


def test_attributes_are_in_the_units_of_the_input():
    one, thousand = (
        quick(ArchetypalSAE, n_candidates=10, dtype="float64").fit(X * unit) for unit in (1, 1000)
    )
    np.testing.assert_allclose(one.candidates_ * 1000, thousand.candidates_, atol=1e-8)
    np.testing.assert_allclose(one.shares_, thousand.shares_, atol=1e-9)
    rows = quick(ArchetypalSAE, n_candidates=10, candidates="rows", dtype="float64").fit(X)
    origin = X.mean(axis=0)
    for candidate in rows.candidates_:
        assert np.abs(X - origin - candidate).max(axis=1).min() < 1e-9


def test_no_more_candidates_than_rows():
    assert quick(ArchetypalSAE).fit(X).candidates_.shape == (120, 8)
    assert quick(ArchetypalSAE, n_candidates=7).fit(X).shares_.shape == (24, 7)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_candidates": 0}, "n_candidates must be an integer >= 1"),
        ({"n_candidates": 2.5}, "n_candidates must be an integer >= 1"),
        ({"candidates": "median"}, "candidates must be one of 'kmeans', 'rows'"),
        ({"delta": -1.0}, "delta must be a number >= 0"),
    ],
)
def test_what_makes_no_sense_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        quick(ArchetypalSAE, **params).fit(X)


def test_warm_start_keeps_the_candidates():
    sae = quick(ArchetypalSAE, n_candidates=10, warm_start=True).fit(X)
    candidates = sae.candidates_
    sae.set_params(random_state=5, max_steps=1).fit(X)
    np.testing.assert_array_equal(sae.candidates_, candidates)
    with pytest.raises(ValueError, match="warm_start=True needs the shapes of the last fit"):
        sae.set_params(n_candidates=11).fit(X)


def test_candidates_are_saved(tmp_path):
    sae = quick(ArchetypalSAE, n_candidates=10).fit(X)
    sae.save(tmp_path / "sae")
    again = load(tmp_path / "sae")
    np.testing.assert_array_equal(again.candidates_, sae.candidates_)
    np.testing.assert_array_equal(again.reconstruct(X), sae.reconstruct(X))


@pytest.mark.parametrize("seed", [0, 1])
def test_two_seeds_agree_more_than_those_of_topk(seed):
    """And reconstruct no worse."""
    data, _, _ = make_sparse_codes(2000, 16, 32, n_active=3, noise_std=0.1, random_state=seed)
    found = {}
    for cls, params in ((TopKSAE, {}), (ArchetypalSAE, {"n_candidates": 100})):
        first, second = (
            quick(cls, 48, max_epochs=15, batch_size=100, random_state=s, **params).fit(data)
            for s in (0, 1)
        )
        match = dictionary_recovery(first.components_, second.components_).mean_cosine
        found[cls] = match, min(first.score(data), second.score(data))
        print(f"{cls.__name__}: atoms of two seeds match with cosine {match:.3f}, ", end="")
        print(f"explained variance {found[cls][1]:.3f}")
    assert found[ArchetypalSAE][0] > found[TopKSAE][0] + 0.05
    assert found[ArchetypalSAE][1] > found[TopKSAE][1] - 0.02
