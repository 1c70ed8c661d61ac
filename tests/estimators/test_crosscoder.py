"""Crosscoder: views scaled apart, one penalty on the norms of all parts, and what they tell."""

import numpy as np
import pytest
import torch
from helpers import Keep, make_data, quick

from sklearn_aensae import Crosscoder, load
from sklearn_aensae.kernels import DenseCodes
from sklearn_aensae.modules import SAEOutput
from sklearn_aensae.objective.penalties import DecoderNormL1
from sklearn_aensae.sources import InputScaling

X = make_data() * np.repeat([1.0, 40.0], [3, 5])
VIEWS = (slice(0, 3), slice(3, 8))


def test_the_first_step_against_numpy():
    keep = Keep()
    params = {"max_steps": 1, "batch_size": 120, "shuffle": False, "callbacks": [keep]}
    params |= {"view_sizes": [3, 5], "lambda_1": 0.2, "lambda_warmup": 0, "dtype": "float64"}
    quick(Crosscoder, **params).fit(X)
    x = X.copy()
    for view in VIEWS:
        x[:, view] *= np.sqrt(x[:, view].shape[1]) / np.linalg.norm(x[:, view], axis=1).mean()
    w, loss = keep.before, 0.0
    atoms, centred = w["decoder.atoms"], x - x.mean(0)
    codes = np.maximum(centred @ w["encoder.weight"].T + w["encoder.bias"], 0)
    sums, norms, for_atoms = codes.sum(0) / 120, np.zeros(24), np.zeros_like(atoms)
    for_codes = np.zeros_like(codes)
    for view in VIEWS:
        error = codes @ atoms[:, view] + w["decoder.bias"][view] - x[:, view]
        loss += (error**2).sum() / (120 * 8)
        view_norms = np.sqrt((atoms[:, view] ** 2).sum(1))
        norms += view_norms
        for_codes += 2 * error @ atoms[:, view].T / (120 * 8)
        for_atoms[:, view] = 2 * codes.T @ error / (120 * 8)
        for_atoms[:, view] += 0.2 * (sums / view_norms)[:, None] * atoms[:, view]
    for_codes = (for_codes + 0.2 * norms / 120) * (codes > 0)
    assert keep.loss == pytest.approx(loss + 0.2 * sums @ norms, rel=1e-9)
    for name, gradient in {
        "decoder.atoms": for_atoms,
        "encoder.weight": for_codes.T @ centred,
        "encoder.bias": for_codes.sum(0),
    }.items():
        np.testing.assert_allclose(keep.gradients[name], gradient, atol=1e-10, err_msg=name)


def test_a_part_that_is_zero_is_free_and_stays_so():
    """Where a norm of all views would have the others' slope, a part of norm 0 has none."""
    sae = quick(Crosscoder, view_sizes=[3, 5], dtype="float64").fit(X)
    module, term = sae.net_.module_, DecoderNormL1(1.0, (3, 5)).double()
    with torch.no_grad():
        module.decoder.atoms[:, :3] = 0
    module.zero_grad()
    x = torch.tensor(X[:4])
    value = term(x, SAEOutput(x, DenseCodes(torch.ones(4, 24, dtype=x.dtype))), module)
    value.backward()
    norms = torch.linalg.vector_norm(module.decoder.atoms[:, 3:], dim=1)
    assert value.item() == pytest.approx(norms.sum().item())
    assert not module.decoder.atoms.grad[:, :3].any()
    assert module.decoder.atoms.grad[:, 3:].all()


def test_the_norm_of_an_atom_is_free():
    """An atom c times as long, its encoder 1 / c: the same loss, and nothing else to see."""
    sae = quick(Crosscoder, view_sizes=[3, 5], dtype="float64", lambda_1=0.3).fit(X)
    module, criterion = sae.net_.module_.eval(), sae.net_.criterion_.eval()
    x = sae._scaling.scale(torch.tensor(X))
    seen = []
    for factor in (1.0, 7.0):
        with torch.no_grad():
            module.decoder.atoms[::2] *= factor
            module.encoder.weight[::2] /= factor
            module.encoder.bias[::2] /= factor
            loss = criterion(x, module(x), module).item()
        sae._write_fitted()
        seen.append((loss, sae.components_, sae.transform(X), sae.view_norms_))
    for one, other in zip(*seen, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("input_scaling", [None, "mean_norm", "sample_norm"])
def test_the_units_of_each_view_are_irrelevant(input_scaling):
    params = {"view_sizes": [3, 5], "dtype": "float64", "input_scaling": input_scaling}
    sae = quick(Crosscoder, **params).fit(X)
    assert sae.view_sizes_.tolist() == [3, 5]
    np.testing.assert_allclose(
        sae.view_norms_,
        np.stack(
            [
                np.linalg.norm(sae.components_[:, view], axis=1) * scale / sae.input_scale_
                for view, scale in zip(VIEWS, sae.view_scales_, strict=True)
            ],
            axis=1,
        ),
    )
    np.testing.assert_allclose(sae.relative_norms().sum(1), 1)
    if input_scaling is None:
        assert sae.view_scales_.tolist() == [1, 1]
        return
    for view, scale in zip(VIEWS, sae.view_scales_, strict=True):
        mean_norm = np.linalg.norm(X[:, view], axis=1).mean()
        assert scale * mean_norm == pytest.approx(np.sqrt(X[:, view].shape[1]))
    units = np.repeat([1e-3, 70.0], [3, 5])
    other = quick(Crosscoder, **params).fit(X * units)
    np.testing.assert_allclose(other.reconstruct(X * units) / units, sae.reconstruct(X), rtol=1e-7)
    np.testing.assert_allclose(other.relative_norms(), sae.relative_norms(), atol=1e-8)
    together = quick(Crosscoder, **params | {"view_sizes": None})
    assert together.fit(X).view_scales_.tolist() == [together.input_scale_]


def two_models(n_rows, seed=0):
    """Views of two models: 6 features that both have, 3 of each alone, of unequal size.

    Returns the views side by side, and the kind of each feature with its atom.
    """
    rng = np.random.default_rng(seed)
    atoms = rng.normal(size=(12, 2, 16))
    atoms /= np.linalg.norm(atoms, axis=2, keepdims=True)
    kinds = np.array(["shared"] * 6 + ["first"] * 3 + ["second"] * 3)
    atoms[kinds == "first", 1] = 0
    atoms[kinds == "second", 0] = 0
    codes = rng.uniform(1, 2, (n_rows, 12)) * (rng.random((n_rows, 12)) < 0.15)
    atoms[:, 1] *= 20
    return codes @ atoms.reshape(12, 32), kinds, atoms.reshape(12, 32)


def test_relative_norms_tell_shared_features_from_those_of_one_model(capsys):
    data, kinds, atoms = two_models(3000)
    sae = quick(
        Crosscoder, 24, view_sizes=(0.5, 0.5), lambda_1=0.03, max_epochs=25, batch_size=100,
        learning_rate=5e-3,
    ).fit(data)  # fmt: skip
    # The component that is nearest to each feature, where views are of one size.
    scales = np.repeat(sae.view_scales_, 16)
    truth, found = atoms * scales, sae.components_ * scales
    cosines = (truth / np.linalg.norm(truth, axis=1, keepdims=True)) @ (
        found / np.linalg.norm(found, axis=1, keepdims=True)
    ).T
    share = sae.relative_norms()[cosines.argmax(1), 0]
    by_kind = {kind: share[kinds == kind] for kind in ("first", "shared", "second")}
    with capsys.disabled():
        print(
            f"\nEV {sae.score(data):.3f}, mean cosine {cosines.max(1).mean():.3f}; "
            "share of the first view:",
            {kind: [round(float(v), 2) for v in values] for kind, values in by_kind.items()},
        )
    assert cosines.max(1).min() > 0.9
    assert by_kind["first"].min() > 0.9
    assert by_kind["second"].max() < 0.1
    assert 0.3 < by_kind["shared"].min() <= by_kind["shared"].max() < 0.7


@pytest.mark.parametrize("views", [[3, 4], [9], [8, 0], (0.3, 0.7), (0.05, 0.95), [2, 2, 2]])
def test_views_that_do_not_fit(views):
    with pytest.raises(ValueError, match="view_sizes"):
        quick(Crosscoder, view_sizes=views).fit(X)


@pytest.mark.parametrize("views", [[], "all", [3, 0.5], (0.5, 0.6), 2])
def test_what_is_no_division_into_views(views):
    with pytest.raises(ValueError, match=r"view_sizes must be None or a list of ints >= 1"):
        quick(Crosscoder, view_sizes=views).fit(X)


def test_warm_start_keeps_the_views():
    sae = quick(Crosscoder, view_sizes=[3, 5], warm_start=True).fit(X)
    sae.set_params(view_sizes=(0.375, 0.625)).fit(X)
    sae.set_params(view_sizes=[4, 4])
    with pytest.raises(ValueError, match=r"warm_start=True needs the views .*\(3, 5\).*\(4, 4\)"):
        sae.fit(X)


def test_views_are_saved(tmp_path):
    sae = quick(Crosscoder, view_sizes=[3, 5]).fit(X)
    sae.save(tmp_path / "sae")
    again = load(tmp_path / "sae")
    assert again._scaling == sae._scaling
    np.testing.assert_array_equal(again.relative_norms(), sae.relative_norms())
    for one in (sae, again):
        one.partial_fit(X)
    np.testing.assert_array_equal(again.transform(X), sae.transform(X))


def test_scaling_of_views():
    rows = torch.tensor(X)
    scaling = InputScaling.fit("mean_norm", rows, view_sizes=(3, 5))
    scaled = scaling.scale(rows)
    for view in VIEWS:
        norm = torch.linalg.vector_norm(scaled[:, view], dim=1).mean().item()
        assert norm == pytest.approx(np.sqrt(scaled[:, view].shape[1]))
    columns, outputs = scaling.column_factors(rows)
    torch.testing.assert_close(rows * columns * scaling.factor, scaled)
    assert outputs is columns
    by_row = InputScaling.fit("sample_norm", rows, view_sizes=(3, 5))
    norms = torch.linalg.vector_norm(by_row.scale(rows), dim=1)
    torch.testing.assert_close(norms, torch.full_like(norms, np.sqrt(8)))
    torch.testing.assert_close(by_row.scale(rows), rows * by_row.factors(rows) * columns)
    assert InputScaling.fit("mean_norm", rows, view_sizes=(8,)).column_factors(rows) == (None, None)
