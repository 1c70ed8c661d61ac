"""DecoderNormL1SAE: its loss by hand, what leaves it unchanged, and what the norms are for."""

import numpy as np
import pytest
import torch
from helpers import given, make_data, quick
from skorch.callbacks import Callback, GradientNormClipping

from sklearn_aensae import L1SAE, Crosscoder, DecoderNormL1SAE, Transcoder
from sklearn_aensae.modules.decoders import FreeDecoder
from sklearn_aensae.objective.penalties import L1

X = make_data()


@pytest.fixture
def trained():
    """An estimator whose atoms have left the unit sphere, and a scaled batch."""
    params = {"lambda_1": 0.1, "dtype": "float64", "learning_rate": 1e-2, "max_epochs": 10}
    sae = quick(DecoderNormL1SAE, **params).fit(X)
    norms = sae.net_.module_.decoder.norms()
    assert norms.max() > 1.1
    assert norms.min() < 0.9
    return sae, torch.tensor(X * sae._scaling.factor)


def loss_of(sae, module, x):
    return sae.net_.criterion_.eval()(x, module(x), module).item()


@pytest.mark.parametrize("density", [0.0, 1.0], ids=["active", "dense"])
def test_loss_and_gradients_against_numpy(trained, density):
    sae, x = trained
    module, n, d = sae.net_.module_, len(X), X.shape[1]
    module.train().activation.density = density
    module.zero_grad()
    output = module(x)
    loss = sae.net_.criterion_(x, output, module)
    loss.backward()
    assert output.codes.is_sparse == (density == 0)
    W, c = (p.detach().numpy() for p in (module.encoder.weight, module.encoder.bias))
    D, b = (p.detach().numpy() for p in (module.decoder.atoms, module.decoder.bias))
    x, norms, centred = x.numpy(), np.linalg.norm(D, axis=1), (x - module.encoder.centre).numpy()
    codes = np.maximum(centred @ W.T + c, 0)
    error = codes @ D + b - x
    expected = (error**2).sum() / (n * d) + 0.1 * (codes @ norms).sum() / n
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    to_codes = (2 / (n * d) * error @ D.T + 0.1 * norms / n) * (codes > 0)
    to_atoms = 2 / (n * d) * codes.T @ error
    to_atoms += 0.1 * (codes.sum(0) / n / norms)[:, None] * D
    for parameter, gradient in [
        (module.encoder.weight, to_codes.T @ centred),
        (module.encoder.bias, to_codes.sum(0)),
        (module.decoder.atoms, to_atoms),
        (module.decoder.bias, 2 / (n * d) * error.sum(0)),
    ]:
        np.testing.assert_allclose(parameter.grad, gradient, atol=1e-12)


def test_rescaling_a_component_changes_nothing(trained):
    sae, x = trained
    module = sae.net_.module_.eval()
    before, codes = loss_of(sae, module, x), sae.transform(X)
    factors = torch.linspace(0.2, 5, 24, dtype=torch.float64)
    with torch.no_grad():
        module.decoder.atoms.mul_(factors[:, None])
        module.encoder.weight.div_(factors[:, None])
        module.encoder.bias.div_(factors)
    assert loss_of(sae, module, x) == pytest.approx(before, rel=1e-12)
    np.testing.assert_allclose(sae.transform(X), codes, atol=1e-12)


def test_folding_changes_neither_loss_nor_reconstruction(trained):
    sae, x = trained
    module = sae.net_.module_.eval()
    weights = {name: p.detach().clone() for name, p in module.named_parameters()}
    folded = module.folded()
    assert loss_of(sae, folded, x) == pytest.approx(loss_of(sae, module, x), rel=1e-12)
    torch.testing.assert_close(folded(x).reconstruction, module(x).reconstruction)
    torch.testing.assert_close(folded.decoder.norms(), torch.ones(24).double())
    assert not any(p.requires_grad for p in folded.parameters())
    for name, parameter in module.named_parameters():
        assert torch.equal(parameter, weights[name])
    np.testing.assert_array_equal(sae.components_, folded.decoder.atoms)


def test_an_atom_of_norm_zero_is_silent(trained):
    sae, _ = trained
    with torch.no_grad():
        sae.net_.module_.decoder.atoms[5] = 0
    before = sae.net_.module_.eval()(torch.tensor(X * sae._scaling.factor)).reconstruction
    sae._write_fitted()
    codes = sae.transform(X)
    assert np.isfinite(sae.components_).all()
    assert not codes[:, 5].any()
    np.testing.assert_allclose(
        sae.inverse_transform(codes) * sae.input_scale_, before.detach(), atol=1e-10
    )


def test_the_encoder_subtracts_nothing(trained):
    sae, _ = trained
    assert not sae.encoder_offset_.any()
    assert np.abs(sae.decoder_bias_).max() > 0.1
    codes = np.maximum(X @ sae.encoder_weights_.T + sae.encoder_bias_, 0)
    np.testing.assert_allclose(sae.transform(X), codes, atol=1e-10)


@pytest.mark.parametrize("cls", [DecoderNormL1SAE, Crosscoder, Transcoder, L1SAE])
def test_where_the_rows_lie_does_not_matter_to_training(cls):
    """Without a centre, each step would move all pre-codes along with the mean of the rows."""
    params = {"input_scaling": None, "dtype": "float64", "max_epochs": 10, "learning_rate": 1e-2}
    shift = np.linspace(-20, 30, 8)
    targets = given(cls, X)[1:]
    here, there = (quick(cls, **params).fit(rows, *targets) for rows in (X, X + shift))
    np.testing.assert_allclose(there.transform(X + shift), here.transform(X), atol=1e-6)
    as_published = quick(cls, init="paper", **params).fit(*given(cls, X)).net_.module_.encoder
    assert as_published.centre is None or not as_published.centre.any()


def test_a_warm_start_keeps_the_centre():
    params = {"input_scaling": None, "max_steps": 1, "learning_rate": 1e-12}
    sae = quick(DecoderNormL1SAE, warm_start=True, **params).fit(X[:60])
    codes = sae.transform(X)
    np.testing.assert_allclose(sae.fit(X[60:]).transform(X), codes, atol=1e-6)


@pytest.mark.parametrize("norm", [0.3, 1.0, 4.0])
def test_shrinkage_on_a_single_atom_is_half_of_lambda(norm):
    """The best code on a unit atom d is max(<x, d> - n lambda / 2, 0): there, nothing moves."""
    direction, strength = torch.tensor([0.6, 0.8], dtype=torch.float64), 0.2
    sae = quick(DecoderNormL1SAE, 1, lambda_1=strength, lambda_warmup=0, dtype="float64")
    module = sae.fit(X[:, :2]).net_.module_
    with torch.no_grad():
        module.decoder.atoms.copy_(norm * direction[None])
        module.encoder.weight.copy_(direction[None] / norm)
        module.encoder.bias.fill_(-2 * strength / 2 / norm)
        module.decoder.bias.zero_()
        module.encoder.centre.zero_()
    module.zero_grad()
    x = torch.linspace(-1, 3, 50, dtype=torch.float64)[:, None] * direction
    sae.net_.criterion_(x, module(x), module).backward()
    np.testing.assert_allclose(module.encoder.weight.grad, 0, atol=1e-12)
    np.testing.assert_allclose(module.encoder.bias.grad, 0, atol=1e-12)
    sae._write_fitted()
    codes = sae.transform(x.numpy() / sae.input_scale_)[:, 0] * sae.input_scale_
    np.testing.assert_allclose(codes, torch.relu(x @ direction - strength), atol=1e-12)


def test_without_norms_in_the_penalty_atoms_grow_and_codes_shrink(monkeypatch):
    """What the norms are for: otherwise the penalty is escaped, not paid."""
    params = {"lambda_1": 0.3, "learning_rate": 1e-2, "max_epochs": 40}
    weighted = quick(DecoderNormL1SAE, **params).fit(X)
    monkeypatch.setattr(DecoderNormL1SAE, "_make_terms", lambda self, plan: {"l1": L1(0.3)})
    plain = quick(DecoderNormL1SAE, **params).fit(X)
    norms, density = [], []
    for name, sae in (("weighted", weighted), ("plain", plain)):
        norms.append(sae.net_.module_.decoder.norms()[sae.feature_density_ > 0].mean().item())
        density.append(sae.history_["l0"][-1])
        print(f"{name}: mean norm {norms[-1]:.2f}, L0 {density[-1]:.2f}, EV {sae.score(X):.3f}")
    assert norms[1] > 1.5 * norms[0]
    assert density[1] > 1.2 * density[0]


def test_gradients_are_clipped_by_skorchs_callback():
    norms = []

    class Watch(Callback):
        def on_grad_computed(self, net, named_parameters, **kwargs):
            gradients = [p.grad.norm() for _, p in named_parameters]
            norms.append(torch.stack(gradients).norm().item())

    quick(DecoderNormL1SAE, callbacks=[GradientNormClipping(1e-3), Watch()]).fit(X)
    np.testing.assert_allclose(norms, 1e-3, rtol=1e-4)


def test_the_decoder_leaves_norms_alone():
    decoder = FreeDecoder(3, 4)
    with torch.no_grad():
        decoder.atoms.fill_(2.0)
    decoder.constrain_()
    assert bool((decoder.atoms == 2).all())
    decoder.normalize_()
    torch.testing.assert_close(decoder.norms(), torch.ones(4))
