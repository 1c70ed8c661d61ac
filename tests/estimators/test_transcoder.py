"""Transcoder: codes of one space that reconstruct another, with and without a skip."""

import numpy as np
import pytest
import torch
from helpers import Keep, make_data, quick, targets_of
from skorch.callbacks import Callback

from sklearn_aensae import TopKSAE, Transcoder, load
from sklearn_aensae.modules.initialization import regress

X = make_data()
Y = targets_of(X)
PLAIN = {"input_scaling": None, "dtype": "float64", "lr_warmup": 0, "lr_decay": 0}


def relu_topk(pre_codes, k):
    """Slow: the k largest of each row, if positive."""
    codes = np.zeros_like(pre_codes)
    for row, out in zip(pre_codes, codes, strict=True):
        for j in np.argsort(-row)[:k]:
            out[j] = max(row[j], 0.0)
    return codes


@pytest.mark.parametrize("skip", [False, True])
def test_the_first_step_against_numpy(skip):
    keep = Keep()
    params = PLAIN | {"max_steps": 1, "batch_size": 120, "shuffle": False, "callbacks": [keep]}
    sae = quick(Transcoder, skip=skip, **params).fit(X, Y)
    w = keep.before
    centred = X - X.mean(0)
    codes = relu_topk(centred @ w["encoder.weight"].T + w["encoder.bias"], 4)
    skipped = X @ w["skip.weight"].T if skip else 0.0
    error = codes @ w["decoder.atoms"] + w["decoder.bias"] + skipped - Y
    variance = ((Y - Y.mean(0)) ** 2).mean()
    assert keep.loss == pytest.approx((error**2).mean() / variance, rel=1e-9)
    outer = 2 * error / error.size / variance
    for_codes = (outer @ w["decoder.atoms"].T) * (codes > 0)
    expected = {
        "decoder.atoms": codes.T @ outer,
        "decoder.bias": outer.sum(0),
        "encoder.weight": for_codes.T @ centred,
        "encoder.bias": for_codes.sum(0),
    }
    if skip:
        expected["skip.weight"] = outer.T @ X
    assert expected.keys() == keep.gradients.keys()
    for name, gradient in expected.items():
        np.testing.assert_allclose(keep.gradients[name], gradient, atol=1e-10, err_msg=name)
    assert sae.components_.shape == (24, 12)
    assert sae.encoder_weights_.shape == (24, 8)
    assert sae.n_features_in_ == 8


@pytest.mark.parametrize("skip", [False, True])
def test_more_codes_reconstruct_the_targets_too(skip):
    keep = Keep()
    params = PLAIN | {"max_steps": 1, "batch_size": 120, "shuffle": False, "callbacks": [keep]}
    quick(Transcoder, skip=skip, multi_k=10, **params).fit(X, Y)
    w = keep.before
    expected, variance = 0.0, ((Y - Y.mean(0)) ** 2).mean()
    for k, factor in ((4, 1), (10, 1 / 8)):
        codes = relu_topk((X - X.mean(0)) @ w["encoder.weight"].T + w["encoder.bias"], k)
        skipped = X @ w["skip.weight"].T if skip else 0.0
        error = codes @ w["decoder.atoms"] + w["decoder.bias"] + skipped - Y
        expected += factor * (error**2).mean() / variance
    assert keep.loss == pytest.approx(expected, rel=1e-9)


def test_auxk_reconstructs_what_is_left_over_of_the_targets():
    sae = quick(Transcoder, dtype="float64", max_steps=40, skip=True).fit(X, Y)
    module, term = sae.net_.module_.train(), sae.net_.criterion_.terms["auxk"]
    module.tracker.samples_since_fired[::3] = 10**6
    term.n_calls = 0
    rows = torch.tensor(np.hstack([X, Y]))
    x, wanted = sae._scaling.prepare_(rows, 12)
    output = module(x)._replace(target=wanted)
    module.tracker.samples_since_fired[::3] = 10**6
    found = term.train()(x, output, module).item()
    w = {n: p.detach().numpy() for n, p in module.named_parameters()}
    x, wanted, dead = x.numpy(), wanted.numpy(), np.arange(0, 24, 3)
    residual = wanted - output.reconstruction.detach().numpy()
    centred = x - x.mean(0)
    pre_codes = centred @ w["encoder.weight"][dead].T + w["encoder.bias"][dead]
    fitted = relu_topk(pre_codes, 6) @ w["decoder.atoms"][dead]
    assert term.k_aux == 6  # half of the targets, not of the features
    assert found == pytest.approx(((residual - fitted) ** 2).sum() / (residual**2).sum(), rel=1e-9)


@pytest.mark.parametrize("input_scaling", [None, "mean_norm", "sample_norm"])
def test_all_is_in_the_units_of_input_and_output(input_scaling):
    """X in other units than Y changes nothing but units: each has a scale of its own."""
    params = {"dtype": "float64", "input_scaling": input_scaling, "skip": True}
    sae = quick(Transcoder, **params).fit(X, Y)
    norms = np.linalg.norm(X, axis=1, keepdims=True) / np.sqrt(8)
    unit = sae.input_scale_ * norms if input_scaling == "sample_norm" else 1.0
    codes = relu_topk(X @ sae.encoder_weights_.T + unit * sae.encoder_bias_, 4)
    np.testing.assert_allclose(sae.transform(X), codes, atol=1e-9)
    predicted = codes @ sae.components_ + unit * sae.decoder_bias_ + X @ sae.skip_weights_
    np.testing.assert_allclose(sae.predict(X), predicted, atol=1e-9)
    assert not sae.encoder_offset_.any()
    if input_scaling is None:
        assert sae.input_scale_ == sae.target_scale_ == 1
        return
    assert sae.target_scale_ * np.linalg.norm(Y, axis=1).mean() == pytest.approx(np.sqrt(12))
    other = quick(Transcoder, **params).fit(1000 * X, Y / 50)
    np.testing.assert_allclose(other.components_, sae.components_, atol=1e-9)
    np.testing.assert_allclose(other.transform(1000 * X), codes / 50, atol=1e-7)
    np.testing.assert_allclose(other.predict(1000 * X), predicted / 50, atol=1e-7)
    np.testing.assert_allclose(other.skip_weights_, sae.skip_weights_ / 50_000, atol=1e-12)


@pytest.mark.parametrize("skip", [False, True])
def test_codes_alone_give_all_but_the_skip(skip):
    sae = quick(Transcoder, skip=skip, dtype="float64").fit(X, Y)
    decoded = sae.inverse_transform(sae.transform(X))
    skipped = X @ sae.skip_weights_ if skip else 0.0
    np.testing.assert_allclose(decoded + skipped, sae.predict(X), atol=1e-9)
    assert skip == (np.abs(decoded - sae.predict(X)).max() > 1e-3)


class Silence(Callback):
    """No code is ever active: what is left is the skip and the bias."""

    def on_train_begin(self, net, **kwargs):
        with torch.no_grad():
            net.module_.encoder.bias.fill_(-1e9)


def test_a_skip_alone_fits_a_linear_map():
    rng = np.random.default_rng(0)
    linear = X @ rng.normal(size=(8, 5)) - 3
    params = {"callbacks": [Silence()], "dead_features": None, "max_epochs": 60}
    params |= {"learning_rate": 0.05, "lr_decay": 0.5}
    sae = quick(Transcoder, skip=True, **params).fit(X, linear)
    assert not sae.transform(X).any()
    assert 1 - sae.score(X, linear) < 1e-4
    without = quick(Transcoder, **params).set_params(max_epochs=5).fit(X, linear)
    assert 1 - without.score(X, linear) > 0.99


class GatedLayer:
    """Targets like those of an MLP: each neuron reads a feature and writes another vector."""

    def __init__(self, n_features=12, n_neurons=16, seed=0):
        rng = np.random.default_rng(seed)
        self.rng = rng
        self.read = rng.normal(size=(n_neurons, n_features)) / np.sqrt(n_features)
        self.write = rng.normal(size=(n_neurons, n_features + 4))
        self.bypass = rng.normal(size=(n_features, n_features + 4)) / np.sqrt(n_features)

    def sample(self, n_rows):
        x = self.rng.normal(size=(n_rows, len(self.read[0])))
        hidden = np.maximum(x @ self.read.T - 1, 0)
        return x, hidden @ self.write + x @ self.bypass


def test_what_a_layer_computes_is_found_where_codes_of_its_input_do_not_help(capsys):
    layer = GatedLayer()
    x, y = layer.sample(2000)
    held_x, held_y = layer.sample(1000)
    params = {"k": 6, "max_epochs": 12, "batch_size": 128, "learning_rate": 1e-2}
    plain, skipping = (
        quick(Transcoder, 32, skip=skip, **params).fit(x, y) for skip in (False, True)
    )
    # The rival: codes that reconstruct x, and from those the best linear guess of y.
    codes = quick(TopKSAE, 32, **params).fit(x)
    design = np.hstack([codes.transform(x), np.ones((len(x), 1))])
    map_ = np.linalg.lstsq(design, y, rcond=None)[0]
    guess = np.hstack([codes.transform(held_x), np.ones((len(held_x), 1))]) @ map_
    unexplained = {
        "codes of x, then a linear map": ((held_y - guess) ** 2).sum()
        / ((held_y - held_y.mean(0)) ** 2).sum(),
        "transcoder": 1 - plain.score(held_x, held_y),
        "skip transcoder": 1 - skipping.score(held_x, held_y),
    }
    with capsys.disabled():
        print("\nunexplained of y:", {name: round(float(v), 3) for name, v in unexplained.items()})
    rival, one, other = unexplained.values()
    assert other < one < rival


def test_without_targets():
    with pytest.raises(ValueError, match="Transcoder requires y to be passed"):
        quick(Transcoder).fit(X)
    sae = quick(Transcoder).fit(X, Y)
    for method in (sae.partial_fit, sae.score):
        with pytest.raises(ValueError, match="Transcoder requires y to be passed"):
            method(X)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y[:-1], "y has 119 rows, but X has 120"),
        (torch.tensor(Y[:-1]), "y has 119 rows, but X has 120"),
        (Y[None], r"y has 3 dimensions.*Reshape your data with y\.reshape\(-1, y\.shape"),
        (np.where(Y > 3, np.nan, Y), "Input y contains NaN"),
        (torch.full((120, 2), torch.inf), "Input y contains NaN or infinity"),
        (iter([Y]), r"y is a stream; join it to X: a stream of pairs, as zip\(X, y\)"),
        ([Y[:60], Y[60:, :5]], r"y: y\[1\] has 5 features, but y\[0\] has 12"),
    ],
)
def test_bad_targets(y, message):
    with pytest.raises(ValueError, match=message):
        quick(Transcoder).fit(X, y)


def test_targets_of_another_width_than_in_fit():
    sae = quick(Transcoder).fit(X, Y)
    for method in (sae.partial_fit, sae.score):
        with pytest.raises(ValueError, match="y has 5 columns, but Transcoder was fitted with 12"):
            method(X, Y[:, :5])
    with pytest.raises(ValueError, match="y has 5 columns, but Transcoder was fitted with 12"):
        sae.partial_fit(iter([(X, Y[:, :5])]))


def test_a_target_of_one_dimension_is_one_column():
    one, column = (quick(Transcoder).fit(X, y) for y in (Y[:, 0], Y[:, :1]))
    tensor = quick(Transcoder).fit(torch.tensor(X), torch.tensor(Y[:, 0]))
    np.testing.assert_array_equal(one.predict(X), column.predict(X))
    np.testing.assert_array_equal(tensor.components_, column.components_)
    assert one.predict(X).shape == (120, 1)
    assert one.score(X, Y[:, 0]) == column.score(X, Y[:, :1])


def test_other_targets_are_another_fit(tmp_path):
    params = {"checkpoint_dir": tmp_path, "checkpoint_interval": 1}
    quick(Transcoder, **params).fit(X, Y)
    with pytest.raises(ValueError, match="another fit: fingerprint of X was"):
        quick(Transcoder, **params).fit(X, -Y)
    with pytest.raises(ValueError, match="columns of y was 12 there and is 5 here"):
        quick(Transcoder, **params).fit(X, Y[:, :5])


def test_a_skip_is_saved_and_goes_on(tmp_path):
    sae = quick(Transcoder, skip=True).fit(X, Y)
    sae.save(tmp_path / "sae")
    again = load(tmp_path / "sae")
    np.testing.assert_array_equal(again.skip_weights_, sae.skip_weights_)
    np.testing.assert_array_equal(again.predict(X), sae.predict(X))
    for one in (sae, again):
        one.partial_fit(X, Y)
    np.testing.assert_array_equal(again.predict(X), sae.predict(X))


def test_warm_start_refuses_to_take_up_a_skip():
    sae = quick(Transcoder, warm_start=True).fit(X, Y).set_params(skip=True)
    with pytest.raises(ValueError, match=r"warm_start=True .*skip\.weight"):
        sae.fit(X, Y)


def test_regression_leaves_out_directions_without_variance():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5)) + 7
    x[:, 4] = 2.0
    map_ = rng.normal(size=(3, 5))
    found = regress(torch.tensor(x @ map_.T + 1), torch.tensor(x)).numpy()
    np.testing.assert_allclose(found[:, :4], map_[:, :4], atol=1e-9)
    np.testing.assert_allclose(found[:, 4], 0, atol=1e-9)


def test_a_wider_reconstruction_is_one_of_the_targets_with_the_skip():
    sae = quick(Transcoder, skip=True, multi_k=9, dtype="float64").fit(X, Y)
    module, term = sae.net_.module_.train(), sae.net_.criterion_.terms["multi_topk"].train()
    x, wanted = sae._scaling.prepare_(torch.tensor(np.hstack([X, Y])), 12)
    with torch.no_grad():
        value = term(x, module(x)._replace(target=wanted), module).item()
    w = {n: p.detach().numpy() for n, p in module.named_parameters()}
    rows = x.numpy()
    codes = relu_topk((rows - rows.mean(0)) @ w["encoder.weight"].T + w["encoder.bias"], 9)
    fitted = codes @ w["decoder.atoms"] + w["decoder.bias"] + rows @ w["skip.weight"].T
    assert value == pytest.approx(((fitted - wanted.numpy()) ** 2).mean(), rel=1e-9)
