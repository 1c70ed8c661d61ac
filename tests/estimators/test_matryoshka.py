"""Matryoshka estimators: levels, their weights, and what nesting is good for."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from absorption import absorption
from helpers import make_data, quick

from sklearn_aensae import BatchTopKSAE, MatryoshkaL1SAE, MatryoshkaSAE, TopKSAE
from sklearn_aensae.datasets import make_feature_tree
from sklearn_aensae.estimators._nested import level_bounds

X = make_data()
TOY = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "hedging_toy.py"))
both = pytest.mark.parametrize("cls", [MatryoshkaSAE, MatryoshkaL1SAE])


@pytest.mark.parametrize(
    ("widths", "n_components", "expected"),
    [
        (None, 128, [4, 12, 28, 60, 128]),
        (None, 24, [1, 2, 5, 11, 24]),
        (None, 8, [1, 2, 4, 8]),
        (None, 2, [1, 2]),
        (None, 1, [1]),
        ([3, 0.5], 10, [3, 5, 10]),
        ((0.1, 0.1001, 0.9), 10, [1, 9, 10]),
        ([10], 10, [10]),
        ([1.0], 7, [7]),
        ([1], 7, [1, 7]),
        ([], 7, [7]),
        (np.array([2, 4]).tolist(), 7, [2, 4, 7]),
    ],
)
def test_widths_are_counts_or_shares(widths, n_components, expected):
    assert level_bounds(widths, n_components) == expected


@both
@pytest.mark.parametrize("widths", [[5, 3], [0.9, 3], [25], [4, 25]])
def test_widths_must_ascend_up_to_the_number_of_components(cls, widths):
    with pytest.raises(ValueError, match=r"widths must ascend .* n_components=24; got \["):
        quick(cls, widths=widths).fit(X)


@both
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"widths": [0]}, "widths must be None or a list of counts"),
        ({"widths": [1.5]}, "widths must be None or a list of counts"),
        ({"widths": [True]}, "widths must be None or a list of counts"),
        ({"widths": 4}, "widths must be None or a list of counts"),
        ({"beta": -0.1}, "beta must be a number >= 0"),
        ({"level_weights": [1.0, 0.0]}, "level_weights must be None or a list of numbers"),
        ({"level_weights": [-1.0, 1.0]}, "level_weights must be None or a list of numbers"),
        ({"level_weights": []}, "level_weights must be None or a list of numbers"),
        ({"level_weights": [1.0, 1.0]}, r"one weight for each of the 5 levels.*got \[1\.0, 1\.0\]"),
        ({"detached": 1}, "detached must be True or False"),
    ],
)
def test_bad_levels(cls, params, message):
    with pytest.raises(ValueError, match=message):
        quick(cls, **params).fit(X)


@both
def test_levels_are_fitted_attributes(cls):
    sae = quick(cls, beta=0.5).fit(X)
    assert sae.widths_.tolist() == [1, 2, 5, 11, 24]
    assert sae.level_weights_.tolist() == [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1]
    explicit = quick(cls, level_weights=[1 / 16, 1 / 8, 1 / 4, 1 / 2, 1]).fit(X)
    np.testing.assert_array_equal(explicit.components_, sae.components_)
    some = quick(cls, widths=[4, 12], level_weights=[2, 0, 1]).fit(X)
    assert some.widths_.tolist() == [4, 24]
    assert some.level_weights_.tolist() == [2, 1]
    same = quick(cls, widths=[4], level_weights=[2, 1]).fit(X)
    np.testing.assert_array_equal(some.components_, same.components_)


@both
@pytest.mark.parametrize("changes", [{"beta": 0.0}, {"detached": True}, {"widths": [12]}])
def test_each_choice_makes_a_difference(cls, changes):
    plain, changed = (quick(cls, max_epochs=10, **params).fit(X) for params in ({}, changes))
    assert np.abs(plain.components_ - changed.components_).max() > 1e-3


def test_one_level_is_batch_topk_bit_for_bit():
    params = {"max_epochs": 10, "dead_window": 40}
    plain = quick(BatchTopKSAE, **params).fit(X)
    for widths in ({"widths": [1.0]}, {"beta": 0.0}, {"widths": [1.0], "detached": True}):
        nested = quick(MatryoshkaSAE, **params, **widths).fit(X)
        np.testing.assert_array_equal(nested.components_, plain.components_)
        assert nested.threshold_ == plain.threshold_
        assert nested.history_["loss"] == plain.history_["loss"]


@both
def test_inner_levels_reconstruct_better_than_without_nesting(cls):
    """By the first 8 of 24 components, here the level [8, 24] is trained for."""
    errors = []
    for beta in (0.0, 1.0):
        sae = quick(cls, widths=[8], beta=beta, max_epochs=60, learning_rate=5e-3).fit(X)
        inner = sae.transform(X)[:, :8] @ sae.components_[:8] + sae.decoder_bias_
        errors.append(float(((X - inner) ** 2).mean() / X.var(0).mean()))
    print(f"{cls.__name__}: unexplained by 8 of 24 components: {errors[0]:.3f} -> {errors[1]:.3f}")
    assert errors[1] < 0.8 * errors[0]


@pytest.mark.parametrize("seed", [0, 1])
def test_less_is_absorbed_than_by_topk(seed):
    data, codes, dictionary, parents = make_feature_tree(
        6000, 32, n_roots=8, n_children=3, noise_std=0.05, random_state=seed
    )
    train, held_out = slice(0, 5000), slice(5000, None)
    params = {"n_components": 32, "k": 4, "max_epochs": 20, "batch_size": 128}
    rates = []
    for cls, levels in ((TopKSAE, {}), (MatryoshkaSAE, {"widths": [8]})):
        sae = quick(cls, **params, **levels, learning_rate=3e-3).fit(data[train])
        rates.append(absorption(sae, data[held_out], codes[held_out], dictionary, parents))
    print(f"absorption: TopK {rates[0]:.3f}, Matryoshka {rates[1]:.3f}")
    assert rates[1] < 0.8 * rates[0]


@pytest.mark.parametrize("p_both", [0.05, 0.15])
def test_one_component_hedges_by_the_angle_of_the_formula(p_both):
    trained = TOY["angle_of_one_component"](0.3 - p_both, p_both)
    formula = TOY["predicted_angle"](0.3 - p_both, p_both)
    print(f"angle from the parent: trained {trained:.2f}, formula {formula:.2f} degrees")
    assert trained == pytest.approx(formula, abs=2)


def test_beta_balances_absorption_and_hedging():
    """The child in the encoder of the parent's component: pushed out, left alone, mixed in."""
    plain, balanced, summed = (TOY["child_in_parent"](beta)[1] for beta in (0.0, 0.1, 1.0))
    print(f"child in the parent's encoder: {plain:.2f} -> {balanced:.2f} -> {summed:.2f}")
    assert plain < -0.5
    assert summed > 0.2
    assert abs(balanced) < 0.2


def test_a_narrow_balanced_one_hedges_less_than_without_levels():
    """By the published measure, over four seeds; the example prints more betas."""
    plain, balanced = (
        [TOY["hedging_of_a_narrow_one"](beta, seed) for seed in range(4)] for beta in (0.0, 0.5)
    )
    print(f"hedging degree: beta 0 {np.round(plain, 2)}, beta .5 {np.round(balanced, 2)}")
    assert np.mean(balanced) < 0.8 * np.mean(plain)
