"""Mutual Choice and Feature Choice: what they are in training, after it, and what they are for."""

import numpy as np
import pytest
from helpers import make_data, quick
from skorch.callbacks import Callback

from sklearn_aensae import BatchTopKSAE, FeatureChoiceSAE, MutualChoiceSAE, TopKSAE
from sklearn_aensae.modules.activations import FeatureChoice
from sklearn_aensae.modules.zipf import zipf_densities

X = make_data()


class Keep(Callback):
    """Copies what each training batch was and gave."""

    def on_train_begin(self, net, **kwargs):
        self.batches = []

    def on_batch_end(self, net, batch=None, y_pred=None, training=False, **kwargs):
        self.batches.append((batch[0].clone(), y_pred.codes.dense().detach().numpy()))


@pytest.mark.parametrize(
    ("params", "simpler"),
    [
        ({"dead_features": None}, {"dead_features": None}),
        ({"dead_features": "auxk"}, {}),
        ({"dying_share": 0.0, "k_aux": 4}, {}),
    ],
)
def test_mutual_choice_is_batchtopk_bit_for_bit(params, simpler):
    same = {"n_components": 60, "max_epochs": 30, "dead_window": 40, "learning_rate": 0.01}
    first = quick(MutualChoiceSAE, **same, **params).fit(X)
    second = quick(BatchTopKSAE, **same, **simpler).fit(X)
    if params != {"dead_features": None}:
        # What revives was at work, so that it has been compared, too.
        assert max(second.history_["auxk"]) > 0
        name = "auxk" if params == {"dead_features": "auxk"} else "aux_zipf"
        assert first.history_[name] == second.history_["auxk"]
    for name in ("components_", "encoder_weights_", "encoder_bias_", "decoder_bias_"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert first.threshold_ == second.threshold_
    assert first.history_["loss"] == second.history_["loss"]
    np.testing.assert_array_equal(first.transform(X), second.transform(X))


def test_dying_components_change_training():
    same = {"n_components": 60, "max_epochs": 30, "learning_rate": 0.01}
    first, second = (quick(cls, **same).fit(X) for cls in (MutualChoiceSAE, BatchTopKSAE))
    assert max(first.history_["aux_zipf"]) > max(second.history_["auxk"])
    assert np.abs(first.components_ - second.components_).max() > 1e-3


@pytest.mark.parametrize("exponent", [0.0, 1.0, 1.5])
def test_training_codes_keep_to_the_quotas(exponent, monkeypatch):
    quotas, used, kept = [], [], Keep()
    compute, keep = FeatureChoice.quotas, FeatureChoice.keep

    def noted_quotas(self, n_rows):
        quotas.append(compute(self, n_rows))
        return quotas[-1]

    def noted_keep(self, values, pattern):
        found = keep(self, values, pattern)
        if found is not None:
            used.append(quotas[-1].numpy())
        return found

    monkeypatch.setattr(FeatureChoice, "quotas", noted_quotas)
    monkeypatch.setattr(FeatureChoice, "keep", noted_keep)
    sae = quick(FeatureChoiceSAE, max_epochs=10, zipf_exponent=exponent, callbacks=[kept]).fit(X)
    assert {len(x) for x, _ in kept.batches} == {32, 24}
    for (x, codes), quota in zip(kept.batches, used, strict=True):
        fired = (codes > 0).sum(0)
        assert (fired <= quota).all()
        assert quota.sum() == 4 * len(x)
        assert fired.sum() <= 4 * len(x)
    assert len(used) == 40
    assert sae.history_["l0"][-1] == pytest.approx(4, rel=0.05)


def test_a_step_is_the_formula():
    """Codes, reconstruction and loss of the first batch, from the weights before it."""
    kept = Keep()
    params = {"batch_size": 120, "shuffle": False, "dtype": "float64", "max_steps": 1}
    sae = quick(FeatureChoiceSAE, learning_rate=1e-30, callbacks=[kept], **params).fit(X)
    x, codes = kept.batches[0]
    x = x.numpy()
    np.testing.assert_allclose(x, X * sae.input_scale_)
    module = sae.net_.module_
    W, c = module.encoder.weight.detach().numpy(), module.encoder.bias.detach().numpy()
    D, b = module.decoder.atoms.detach().numpy(), module.decoder.bias.detach().numpy()
    pre_codes = (x - b) @ W.T + c
    demand = (pre_codes >= np.sort(pre_codes.ravel())[-4 * 120]).mean(0)
    densities = zipf_densities(24, 4, 1.0, 4.0).numpy()
    quotas = np.empty(24, dtype=int)
    ends = np.floor(120 * densities.cumsum() + 1e-6).astype(int)
    quotas[np.argsort(-demand, kind="stable")] = np.diff(ends, prepend=0)
    expected = np.zeros_like(codes)
    for j, quota in enumerate(quotas):
        rows = np.argsort(-pre_codes[:, j])[:quota]
        expected[rows, j] = np.maximum(pre_codes[rows, j], 0)
    np.testing.assert_allclose(codes, expected, atol=1e-10)
    loss = ((x - expected @ D - b) ** 2).mean() / x.var(0).mean()
    assert sae.history_["loss"][0] == pytest.approx(loss, rel=1e-9)


def make_zipf_data(n_samples=4000, n_features=24, n_true=64, seed=0):
    """Sparse positive combinations of atoms, the r-th of which is active on 0.8 / r of the rows."""
    rng = np.random.default_rng(seed)
    atoms = rng.normal(size=(n_true, n_features))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    density = np.minimum(0.6, 0.8 / np.arange(1, n_true + 1))
    active = rng.random((n_samples, n_true)) < density
    return (active * rng.uniform(1, 2, active.shape)) @ atoms, density, atoms


@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_transform_has_the_densities_of_the_quotas(exponent):
    data, _, _ = make_zipf_data()
    params = {"n_components": 96, "batch_size": 200, "max_epochs": 10, "zipf_exponent": exponent}
    sae = quick(FeatureChoiceSAE, **params).fit(data)
    densities = (sae.transform(data) > 0).mean(0)
    wanted = zipf_densities(96, 4, exponent, 4.0).numpy()
    print(f"L0 {densities.sum():.3f} for k=4")
    assert densities.sum() == pytest.approx(4, rel=0.02)
    ranks = sae.net_.module_.activation.rank.numpy()
    np.testing.assert_allclose(densities, wanted[ranks], atol=2 / len(data))
    assert sae.threshold_.shape == (96,)


def test_on_zipf_data_fewer_components_die():
    # A start from which many components never win a place in a row.
    data, _, _ = make_zipf_data(3000, 24, n_true=128)
    params = {"n_components": 128, "batch_size": 250, "max_epochs": 20, "init": "paper"}
    params["learning_rate"] = 5e-3
    dead, scores = {}, {}
    for cls, more in (
        (TopKSAE, {"dead_features": None}),
        (MutualChoiceSAE, {}),
        (FeatureChoiceSAE, {}),
    ):
        sae = quick(cls, **params, **more).fit(data)
        dead[cls], scores[cls] = sae.n_dead_ / 128, sae.score(data)
        print(f"{cls.__name__:17} dead {dead[cls]:.1%}, score {scores[cls]:.3f}")
    assert dead[FeatureChoiceSAE] < 0.02
    assert dead[MutualChoiceSAE] < 0.6 * dead[TopKSAE]


def test_a_tail_quota_below_one_is_told():
    with pytest.warns(UserWarning, match=r"rarest of 60 .* quota of 0\.75 codes per batch") as w:
        quick(FeatureChoiceSAE, n_components=60).fit(X)
    assert w[0].filename == __file__
    with pytest.warns(UserWarning, match="quota") as w:
        quick(FeatureChoiceSAE, n_components=60).partial_fit(X)
    assert w[0].filename == __file__


def test_no_component_is_left_out_by_quotas_below_one():
    """Each gets its turn: none is silent for much longer than its quota says."""
    with pytest.warns(UserWarning, match="quota"):
        sae = quick(FeatureChoiceSAE, n_components=200, max_epochs=60, dead_window=20.0).fit(X)
    assert sae.n_dead_ < 10
