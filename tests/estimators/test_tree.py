"""TreeSAE: loss and codes in numpy, its promises, moving children, less absorption."""

import numpy as np
import pytest
import torch
from absorption import absorption
from helpers import dies_in_step, make_data, quick, state_of
from skorch.callbacks import Callback

from sklearn_aensae import TopKSAE, TreeSAE, load
from sklearn_aensae.datasets import make_feature_tree
from sklearn_aensae.estimators._layers import cut
from sklearn_aensae.metrics import parent_coverage
from sklearn_aensae.params import validate_params

X = make_data()
THREE = {"layer_sizes": [4, 8, 12], "layer_k": [2, 2, 1]}


def numpy_codes(sae, x):
    """Codes in the units of training, by the rule of the paper, from the module's weights."""
    module = sae.net_.module_
    bias, weight, offset = (
        p.detach().double().numpy()
        for p in (module.decoder.bias, module.encoder.weight, module.encoder.bias)
    )
    pre_codes = (x - bias) @ weight.T + offset
    codes = np.zeros_like(pre_codes)
    for start, stop, k in zip(
        sae.layer_bounds_[:-1], sae.layer_bounds_[1:], sae.layer_k_, strict=True
    ):
        parents = sae.parents_[start:stop]
        is_open = (parents < 0) | (codes[:, parents] > sae.tau)
        masked = np.where(is_open, pre_codes[:, start:stop], 0)
        for row, code in zip(masked, codes[:, start:stop], strict=True):
            largest = np.argsort(-row)[:k]
            code[largest] = np.maximum(row[largest], 0)
    return codes


@pytest.mark.parametrize("params", [{}, THREE], ids=["two layers", "three layers"])
@pytest.mark.parametrize("input_scaling", [None, "mean_norm"])
def test_codes_and_loss_in_numpy(params, input_scaling):
    params = params | {"input_scaling": input_scaling, "dtype": "float64", "tau": 0.1}
    sae = quick(TreeSAE, max_epochs=20, **params).fit(X)
    x = X * sae.input_scale_
    codes = numpy_codes(sae, x)
    np.testing.assert_allclose(sae.transform(X) * sae.input_scale_, codes, atol=1e-9)
    atoms, bias = sae.components_, sae.decoder_bias_ * sae.input_scale_
    loss = 0
    for stop in sae.layer_bounds_[1:]:
        loss += ((x - bias - codes[:, :stop] @ atoms[:stop]) ** 2).mean()
    loss /= ((x - x.mean(0)) ** 2).mean()
    net = sae.net_
    module, term = net.module_.eval(), net.criterion_.terms["reconstruction"]
    value = term.weight * term(torch.tensor(x), module(torch.tensor(x)), module)
    assert value.item() == pytest.approx(loss, rel=1e-9)


@pytest.mark.parametrize("params", [{}, THREE], ids=["two layers", "three layers"])
@pytest.mark.parametrize("tau", [0.0, 1e-3, 0.5])
def test_a_child_fires_only_where_its_parent_does(params, tau):
    sae = quick(TreeSAE, max_epochs=20, tau=tau, **params).fit(X)
    codes = sae.transform(X)
    n_pairs = 0
    for child, parent in enumerate(sae.parents_):
        fires = codes[:, child] > 0
        if parent >= 0 and fires.any():
            n_pairs += 1
            assert (codes[fires, parent] * sae.input_scale_ > tau).all()
    assert n_pairs > 3
    coverage = parent_coverage(codes, sae.parents_)
    assert np.nanmin(coverage) == 1
    for low, high, k in zip(
        sae.layer_bounds_[:-1], sae.layer_bounds_[1:], sae.layer_k_, strict=True
    ):
        assert (codes[:, low:high] > 0).sum(1).max() <= k
        assert (sae.parents_[low:high] < max(low, 0)).all()
    assert (sae.parents_[: sae.layer_bounds_[1]] == -1).all()


def test_layers_from_shares_and_from_counts():
    published = [1536, 3072, 9216, 10752]
    assert cut(24576, 32, (0.25, 0.75), (0.8125, 0.1875)) == ([6144, 24576], [26, 6])
    shares = [0.0625, 0.125, 0.375, 0.4375]
    assert cut(24576, 32, shares, [21 / 32, 5 / 32, 4 / 32, 2 / 32]) == (
        np.cumsum(published).tolist(),
        [21, 5, 4, 2],
    )
    assert cut(24576, 1, published, [21, 5, 4, 2])[1] == [21, 5, 4, 2]
    # What a layer cannot hold, others take.
    assert cut(64, 32, (0.25, 0.75), (0.8125, 0.1875)) == ([16, 64], [16, 16])
    assert cut(64, 32, (0.75, 0.25), (0.1875, 0.8125)) == ([48, 64], [16, 16])
    assert cut(20, 12, (0.1, 0.2, 0.7), (0.5, 0.25, 0.25)) == ([2, 6, 20], [2, 4, 6])
    assert cut(20, 12, (0.1, 0.7, 0.2), (0.25, 0.25, 0.5)) == ([2, 16, 20], [2, 6, 4])
    # No more active than there are; a share of nothing makes no layer.
    assert cut(8, 32, (0.25, 0.75), (0.8125, 0.1875)) == ([2, 8], [2, 6])
    assert cut(1, 32, (0.25, 0.75), (0.8125, 0.1875)) == ([1], [1])
    assert cut(2, 2, (0.25, 0.75), (0.8125, 0.1875)) == ([2], [2])
    assert cut(24, 2, (0.25, 0.75), (0.8125, 0.1875)) == ([6, 24], [1, 1])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"layer_sizes": [5, 5]}, r"layer_sizes=\[5, 5\] sums to 10, but there are 24"),
        ({"layer_sizes": [1.0]}, "layer_sizes has 1 layers, but layer_k has 2"),
        ({"k": 1}, "k=1 leaves less than one active component"),
        ({"layer_sizes": [0.5, 0.6]}, "layer_sizes must be a list of ints >= 1, or of shares"),
        ({"layer_k": [0, 4]}, "layer_k must be a list of ints >= 1, or of shares"),
        ({"layer_k": 3}, "layer_k must be a list of ints >= 1, or of shares"),
        ({"layer_k": []}, "layer_k must be a list of ints >= 1, or of shares"),
        ({"layer_k": [7, 1]}, r"layer_k=\[7, 1\] lets 7 of the 6 components of layer 0"),
        ({"tau": -1.0}, "tau must be a number >= 0"),
        ({"aux_layers": [-1]}, "aux_layers must be a list of ints >= 0"),
        ({"aux_layers": (0, 2)}, r"aux_layers=\(0, 2\) names layer 2, but .* the layers 0 to 1"),
        ({"reallocation_interval": 1.5}, "reallocation_interval must be a number of steps"),
    ],
)
def test_layers_that_make_no_sense_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        quick(TreeSAE, **params).fit(X)


def test_numpy_numbers_are_numbers():
    sae = quick(TreeSAE, layer_sizes=list(np.array([6, 18])), layer_k=list(np.array([0.5, 0.5])))
    validate_params(sae)
    assert sae.fit(X).layer_k_.tolist() == [2, 2]


class Watch(Callback):
    """Keeps the tree and who was dead after every step."""

    def on_train_begin(self, net, **kwargs):
        self.parents = [net.module_.activation.parents.clone()]
        self.dead = []

    def on_batch_end(self, net, training=False, **kwargs):
        self.parents.append(net.module_.activation.parents.clone())
        self.dead.append(net.module_.tracker.dead())


def test_only_dead_children_move_and_the_rest_goes_to_the_root():
    watch = Watch()
    params = {"reallocation_interval": 4, "reallocation_stop": 30, "dead_window": 64}
    sae = quick(TreeSAE, 96, k=4, max_epochs=20, callbacks=[watch], **params, **{
        "layer_sizes": [8, 40, 48], "layer_k": [2, 1, 1],
    }).fit(X)  # fmt: skip
    moved_in = []
    for step, dead in enumerate(watch.dead, start=1):
        before, after = watch.parents[step - 1 : step + 1]
        moved = before != after
        assert not bool((moved & ~dead).any())
        if bool(moved.any()):
            moved_in.append(step)
        if step == 30:
            assert bool((after[dead] == -1).all())
    # 4, then twice as much later, then every round(40 / 3) steps.
    assert moved_in == [4, 12, 25, 30]
    np.testing.assert_array_equal(sae.parents_, watch.parents[30])
    capacities = sae.net_.module_.activation.capacities
    assert not bool(capacities.any())


def test_children_go_where_most_is_left_over():
    """Of two general features one has no special ones under it: it gets none."""
    rng = np.random.default_rng(0)
    atoms = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    which = rng.random(3000) < 0.5
    data = np.where(which[:, None], 3 * atoms[0], 3 * atoms[1])
    special = rng.random((3000, 8)) < 0.25
    data += np.where(which[:, None], special * rng.uniform(1, 2, (3000, 8)) @ atoms[2:10], 0)
    params = {"layer_sizes": [2, 16], "layer_k": [1, 4], "learning_rate": 1e-2, "dead_window": 500}
    # To the end: else whoever is dead would go to the root half-way.
    params |= {"reallocation_stop": 10**6}
    # The encoder and the atoms of the general features are given; the rest is found.
    sae = quick(TreeSAE, 18, max_epochs=20, callbacks=[Teach(atoms[:2])], **params).fit(data)
    with_special = int(np.argmax(sae.components_[:2] @ atoms[0]))
    children = np.bincount(sae.parents_[2:] + 1, minlength=3)[1:]
    first = sae.callbacks[0].parents
    before = np.bincount(first[2:] + 1, minlength=3)[1:]
    print(f"children of the two general features at first: {before}, in the end: {children}")
    assert children[1 - with_special] < before[1 - with_special]
    assert children[with_special] > children[1 - with_special]


class Teach(Callback):
    """Gives the first components their atoms, and keeps the first tree."""

    def __init__(self, atoms):
        self.atoms = atoms

    def on_train_begin(self, net, **kwargs):
        module = net.module_
        self.parents = module.activation.parents.numpy().copy()
        with torch.no_grad():
            for weight in (module.encoder.weight, module.decoder.atoms):
                weight[: len(self.atoms)] = torch.tensor(self.atoms).to(weight)


def test_seed_decides_on_the_tree():
    params = {"reallocation_interval": 2, "dead_window": 40}
    first, again, other = (
        quick(TreeSAE, random_state=seed, **params).fit(X).parents_ for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_moves_survive_a_crash_and_a_file(tmp_path):
    def make(**more):
        params = {"reallocation_interval": 3, "reallocation_stop": 100, "dead_window": 40} | more
        return quick(TreeSAE, max_epochs=8, **THREE, **params)

    files = {"checkpoint_dir": tmp_path / "checkpoints", "checkpoint_interval": 1}
    for step in (2, 3, 8, 9, 20):
        with dies_in_step(step):
            make(**files).fit(X)
    resumed, whole, still = make(**files).fit(X), make().fit(X), make(reallocation_interval=0)
    assert state_of(resumed) == state_of(whole)
    assert (whole.parents_ != still.fit(X).parents_).any()
    # What was gathered since the last move goes along into a file.
    assert bool(whole.net_.module_.activation.capacities.any())
    whole.save(tmp_path / "sae")
    loaded = load(tmp_path / "sae")
    for sae in (whole, loaded):
        sae.partial_fit(X).partial_fit(X)
    np.testing.assert_array_equal(loaded.parents_, whole.parents_)
    np.testing.assert_array_equal(loaded.components_, whole.components_)


def test_one_layer_is_saved_and_loaded(tmp_path):
    sae = quick(TreeSAE, layer_sizes=[24], layer_k=[4]).fit(X)
    sae.save(tmp_path / "sae")
    again = load(tmp_path / "sae")
    assert again.layer_sizes == [24]
    np.testing.assert_array_equal(again.parents_, np.full(24, -1))
    np.testing.assert_array_equal(again.transform(X), sae.transform(X))


def test_warm_start_keeps_the_tree():
    sae = quick(TreeSAE, warm_start=True, reallocation_interval=2, dead_window=40).fit(X)
    tree = sae.parents_
    sae.set_params(random_state=7, reallocation_interval=0, max_steps=1).fit(X)
    np.testing.assert_array_equal(sae.parents_, tree)
    with pytest.raises(ValueError, match=r"they ended at components \[6, 24\] .* at \[12, 24\]"):
        sae.set_params(layer_sizes=(0.5, 0.5)).fit(X)


@pytest.mark.parametrize("seed", [0, 1])
def test_less_is_absorbed_than_by_topk(seed):
    data, codes, dictionary, parents = make_feature_tree(
        6000, 32, n_roots=8, n_children=3, noise_std=0.05, random_state=seed
    )
    train, held_out = slice(0, 5000), slice(5000, None)
    params = {"n_components": 32, "max_epochs": 20, "batch_size": 128, "learning_rate": 3e-3}
    topk = quick(TopKSAE, k=4, **params).fit(data[train])
    tree = quick(TreeSAE, layer_sizes=[8, 24], layer_k=[3, 2], **params).fit(data[train])
    rates = [
        absorption(sae, data[held_out], codes[held_out], dictionary, parents)
        for sae in (topk, tree)
    ]
    scores = [sae.score(data[held_out]) for sae in (topk, tree)]
    print(f"absorption: TopK {rates[0]:.3f}, Tree {rates[1]:.3f}")
    print(f"explained variance: TopK {scores[0]:.3f}, Tree {scores[1]:.3f}")
    assert rates[1] < rates[0]
