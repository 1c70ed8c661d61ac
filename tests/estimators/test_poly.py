"""PolySAE: reconstruction and loss in numpy, its constraint, its read-outs, planted pairs."""

import itertools

import numpy as np
import pytest
import torch
from helpers import make_data, quick

from sklearn_aensae import PolySAE, TopKSAE, load
from sklearn_aensae.datasets import make_interactions
from sklearn_aensae.metrics import dictionary_recovery

X = make_data()


def parts(sae):
    decoder = sae.net_.module_.decoder
    U, b, *maps = (p.detach().numpy() for p in (decoder.basis, decoder.bias, *decoder.maps))
    return U, b, maps, [1.0, *(float(scale.detach()) for scale in decoder.scales)]


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("input_scaling", [None, "mean_norm"])
def test_reconstruction_and_loss_in_numpy(order, input_scaling):
    sae = quick(PolySAE, order=order, input_scaling=input_scaling, dtype="float64", max_epochs=20)
    sae.fit(X)
    U, b, maps, scales = parts(sae)
    x = X * sae.input_scale_
    codes = sae.transform(X) * sae.input_scale_
    a = codes @ U
    made = b + sum(
        scale * a[:, : len(C)] ** power @ C
        for power, (scale, C) in enumerate(zip(scales, maps, strict=True), 1)
    )
    np.testing.assert_allclose(sae.reconstruct(X) * sae.input_scale_, made, atol=1e-9)
    np.testing.assert_allclose(sae.inverse_transform(sae.transform(X)), sae.reconstruct(X))
    error = ((x - made) ** 2).mean() / ((x - x.mean(0)) ** 2).mean()
    module, term = sae.net_.module_.eval(), sae.net_.criterion_.terms["reconstruction"]
    value = term.weight * term(torch.tensor(x), module(torch.tensor(x)), module)
    assert value.item() == pytest.approx(error, rel=1e-9)


@pytest.mark.parametrize("ranks", [None, [5, 3, 1]])
def test_columns_are_orthonormal_after_fit(ranks):
    sae = quick(PolySAE, ranks=ranks, learning_rate=0.05, max_epochs=10).fit(X)
    U, _, maps, _ = parts(sae)
    np.testing.assert_allclose(U.T @ U, np.eye(U.shape[1]), atol=1e-5)
    assert [len(C) for C in maps] == (ranks or [8, 8, 8])
    assert all(np.abs(C).max() > 1e-3 for C in maps)


def test_order_one_is_linear():
    sae = quick(PolySAE, order=1, max_epochs=10).fit(X)
    U, _, (C,), _ = parts(sae)
    np.testing.assert_allclose(sae.components_, U @ C, atol=1e-6)
    codes = sae.transform(X)
    by_components = codes @ sae.components_ + sae.decoder_bias_
    np.testing.assert_allclose(sae.inverse_transform(codes), by_components, atol=1e-5)
    with pytest.raises(ValueError, match="top_interactions needs order=2 or 3"):
        sae.top_interactions()
    with pytest.raises(ValueError, match="interaction takes 2 to 1 components of this fit; got 2"):
        sae.interaction(0, 1)


@pytest.mark.parametrize("input_scaling", [None, "mean_norm"])
def test_interactions_are_in_the_units_of_the_input(input_scaling):
    sae = quick(PolySAE, order=2, input_scaling=input_scaling, dtype="float64", max_epochs=10)
    sae.fit(X * 7)
    codes = np.zeros((4, 24))
    codes[[0, 1], 3], codes[[0, 2], 11] = 2.5, 4.0
    both, first, second, neither = sae.inverse_transform(codes)
    expected = (both - first - second + neither) / 10
    np.testing.assert_allclose(sae.interaction(3, 11), expected, atol=1e-10)
    np.testing.assert_allclose(sae.interaction(11, 3), expected, atol=1e-10)
    assert np.abs(expected).max() > 1e-5


def test_a_triple_is_in_the_units_of_the_input():
    sae = quick(PolySAE, dtype="float64", max_epochs=10).fit(X * 7)
    triple, expected = (2, 5, 20), np.zeros(8)
    for subset in itertools.product([0.0, 1.0], repeat=3):
        codes = np.zeros((1, 24))
        codes[0, triple] = subset
        expected += (-1) ** (3 - sum(subset)) * sae.inverse_transform(codes)[0]
    np.testing.assert_allclose(sae.interaction(*triple), expected, atol=1e-10)
    assert np.abs(expected).max() > 1e-6


def test_top_interactions_are_the_largest_of_all():
    sae = quick(PolySAE, max_epochs=10, dtype="float64").fit(X)
    fired = np.flatnonzero(sae.feature_density_)
    pairs = np.array(list(itertools.combinations(fired, 2)))
    norms = np.array([np.linalg.norm(sae.interaction(*pair)) for pair in pairs])
    order = np.argsort(-norms)
    found, strengths = sae.top_interactions(7)
    np.testing.assert_array_equal(found, pairs[order[:7]])
    np.testing.assert_allclose(strengths, norms[order[:7]], rtol=1e-9)
    assert len(sae.top_interactions(10**6)[0]) == len(pairs)
    sae.feature_density_[found[0, 0]] = 0
    assert not (sae.top_interactions(10**6)[0] == found[0, 0]).any()


def test_top_interactions_over_half_precision():
    sae = quick(PolySAE, max_epochs=10).fit(X)
    found, strengths = sae.top_interactions(5, X.astype(np.float16))
    _, expected = sae.top_interactions(5, X)
    assert found.shape == (5, 2)
    np.testing.assert_allclose(strengths, expected, rtol=1e-2)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"order": 4}, "order must be one of 1, 2, 3"),
        ({"ranks": [8]}, r"ranks must be 3 numbers for order=3, .* at most 8, .* got \[8\]"),
        ({"ranks": [9, 8, 8]}, "the first at most 8"),
        ({"ranks": [4, 5, 4]}, "none larger than the one before"),
        ({"ranks": [4, 0, 0]}, "ranks must be None or a list of ints >= 1"),
        ({"ranks": 4}, "ranks must be None or a list of ints >= 1"),
        ({"ranks": []}, "ranks must be None or a list of ints >= 1"),
    ],
)
def test_ranks_that_make_no_sense_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        quick(PolySAE, **params).fit(X)


def test_components_that_do_not_exist_are_refused():
    sae = quick(PolySAE).fit(X)
    with pytest.raises(ValueError, match=r"components must be ints in \[0, 23\]; got \(0, 24\)"):
        sae.interaction(0, 24)
    with pytest.raises(ValueError, match="interaction takes 2 to 3 components of this fit; got 1"):
        sae.interaction(0)
    with pytest.raises(ValueError, match=r"ints in \[0, 23\]; got \(1.9, 2\)"):
        sae.interaction(1.9, 2)
    for n in (0, 2.5):
        with pytest.raises(ValueError, match=f"n must be an int >= 1; got {n}"):
            sae.top_interactions(n)


def test_warm_start_needs_the_same_decoder():
    sae = quick(PolySAE, warm_start=True).fit(X)
    with pytest.raises(ValueError, match=r"weights were .*decoder.maps.1': \(8, 8\)"):
        sae.set_params(ranks=[8, 4, 4]).fit(X)
    with pytest.raises(ValueError, match=r"now be .*decoder.maps.2': None"):
        sae.set_params(ranks=None, order=2).fit(X)


def test_few_ranks_are_saved_and_loaded(tmp_path):
    sae = quick(PolySAE, order=2, ranks=[5, 2]).fit(X)
    sae.save(tmp_path / "sae")
    again = load(tmp_path / "sae")
    np.testing.assert_array_equal(again.reconstruct(X), sae.reconstruct(X))
    np.testing.assert_array_equal(again.interaction(1, 2), sae.interaction(1, 2))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_planted_pair_is_the_strongest_of_all(seed):
    data, _, dictionary, pairs, _ = make_interactions(
        4000, n_components=12, n_active=3, strength=0.25, random_state=seed
    )
    params = {"k": 3, "batch_size": 128, "learning_rate": 3e-3, "random_state": seed}
    topk, poly = (
        quick(cls, 12, max_epochs=40, **params, **order).fit(data)
        for cls, order in ((TopKSAE, {}), (PolySAE, {"order": 2}))
    )
    learned, true = dictionary_recovery(poly.components_, dictionary).matching
    ranks = []
    for rows in (None, data):
        found, strengths = poly.top_interactions(12 * 11, rows)
        assert len(found) == 66
        named = np.sort(true[np.argsort(learned)][found], axis=1)
        ranks.append(1 + int(np.flatnonzero((named == pairs[0]).all(axis=1))[0]))
        print(f"planted pair: rank {ranks[-1]}, strongest {strengths[:3].round(3)}")
    fvu = [1 - sae.score(data) for sae in (topk, poly)]
    l0 = [(sae.transform(data) > 0).sum(axis=1).mean() for sae in (topk, poly)]
    print(f"FVU: TopK {fvu[0]:.4f}, Poly {fvu[1]:.4f}; L0 {l0[0]:.2f}, {l0[1]:.2f}")
    assert ranks == [1, 1]
    assert fvu[1] < 0.6 * fvu[0]
    assert l0[1] <= l0[0] + 0.05


def test_pairs_over_rows_count_by_what_they_add():
    sae = quick(PolySAE, 12, order=2).fit(X)
    codes = sae.transform(X)
    pairs, strengths = sae.top_interactions(100, X)
    expected = [
        np.linalg.norm(sae.interaction(i, j)) * np.sqrt(((codes[:, i] * codes[:, j]) ** 2).mean())
        for i, j in pairs
    ]
    assert len(pairs) > 50
    np.testing.assert_allclose(strengths, expected, rtol=1e-4, atol=1e-8)
    assert (np.diff(strengths) <= 0).all()
    assert (strengths == 0).any()
    assert strengths[0] > 0
