"""Terms against numpy on codes in both representations."""

import numpy as np
import pytest
import torch
from helpers import from_slots

from sklearn_aensae.dead_features import AuxK
from sklearn_aensae.kernels import DenseCodes
from sklearn_aensae.modules import Autoencoder, SAEOutput
from sklearn_aensae.modules.activations import TopK
from sklearn_aensae.modules.decoders import FreeDecoder, LinearDecoder
from sklearn_aensae.modules.encoder import LinearEncoder
from sklearn_aensae.modules.initialization import initialize_
from sklearn_aensae.objective import Objective
from sklearn_aensae.objective.penalties import L1, L2, AdaptiveL1
from sklearn_aensae.objective.reconstruction import MSE
from sklearn_aensae.testing import count_host_reads
from sklearn_aensae.theory import effective_sample_size

ADAPTIVE = {
    "gamma": 1.0, "beta": 0.5, "ema_correction": True, "statistic": "active_mean",
    "reference": "median", "top_share": 0.2, "weight_min": 0.1, "weight_max": 10.0,
    "normalize": False, "start": 0, "ramp": 0,
}  # fmt: skip


@pytest.fixture(params=["active", "dense"])
def case(request):
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(6, 3, generator=generator, dtype=torch.float64) + 0.1
    indices = torch.rand(6, 8, generator=generator).argsort(1)[:, :3]
    codes = from_slots(values, indices, 8)
    dense = codes.dense().numpy()
    x = torch.randn(6, 4, generator=generator, dtype=torch.float64)
    reconstruction = torch.randn(6, 4, generator=generator, dtype=torch.float64)
    if request.param == "dense":
        codes = DenseCodes(codes.dense())
    return x, SAEOutput(reconstruction, codes), dense


def test_fixed_terms(case):
    x, output, dense = case
    error = (x - output.reconstruction).numpy()
    assert float(MSE()(x, output, None)) == pytest.approx((error**2).mean())
    assert float(L1()(x, output, None)) == pytest.approx(dense.sum(1).mean())
    assert float(L2()(x, output, None)) == pytest.approx((dense**2).sum(1).mean())


def test_objective_is_the_weighted_sum(case):
    x, output, dense = case
    objective = Objective({"reconstruction": MSE(2.0), "l1": L1(0.5), "off": L2(0.0)})
    total = float(objective(x, output, None))
    values = {name: float(value) for name, value in objective.last_values.items()}
    assert values["l1"] == pytest.approx(0.5 * dense.sum(1).mean())
    assert values["off"] == 0
    assert total == pytest.approx(sum(values.values()))


def make_adaptive(**changes):
    return AdaptiveL1(8, 1.0, **(ADAPTIVE | changes)).double()


def test_active_mean_with_median_reference(case):
    x, output, dense = case
    term = make_adaptive()
    value = float(term(x, output, None))
    counts = (dense > 0).sum(0)
    fired = counts > 0
    means = dense.sum(0)[fired] / counts[fired]
    # torch takes the lower of two middle values as the median.
    reference = np.sort(means)[(len(means) - 1) // 2]
    expected = np.ones(8)
    expected[fired] = np.clip(reference / means, 0.1, 10)
    np.testing.assert_allclose(term.weights, expected, rtol=1e-10)
    assert value == pytest.approx((dense @ expected).mean())


def test_bias_correction_gives_the_first_batch_as_it_is(case):
    x, output, dense = case
    term = make_adaptive(statistic="mean", reference="top", beta=0.999, weight_max=1e9)
    term(x, output, None)
    activity = np.maximum(dense.mean(0), 1e-5)
    expected = np.maximum(activity.max() / activity, 0.1)
    expected[dense.sum(0) == 0] = 1  # never fired: nothing to judge by
    np.testing.assert_allclose(term.weights, expected, rtol=1e-9)


def test_normalized_weights_keep_the_penalty(case):
    """What adapting adds to some it takes from others: the total stays that of plain L1."""
    x, output, dense = case
    adapted = make_adaptive(normalize=True)(x, output, None)
    assert float(adapted) == pytest.approx(dense.sum(1).mean(), rel=1e-9)


@pytest.mark.parametrize("ema_correction", [True, False])
def test_weights_stay_neutral_while_nothing_fires(ema_correction):
    silent = DenseCodes(torch.zeros(6, 8, dtype=torch.float64))
    term = make_adaptive(normalize=True, ema_correction=ema_correction)
    for _ in range(3):
        assert float(term(None, SAEOutput(None, silent), None)) == 0
    np.testing.assert_allclose(term.weights, np.ones(8))


def test_weights_have_no_gradient_and_rest_in_evaluation(case):
    x, output, _ = case
    term = make_adaptive()
    term(x, output, None)
    before = term.weights.clone()
    term.eval()
    term(x, SAEOutput(output.reconstruction, output.codes.scaled(9.0)), None)
    assert torch.equal(term.weights, before)
    assert not term.weights.requires_grad


def test_start_and_ramp(case):
    x, output, _ = case
    term, final = make_adaptive(start=2, ramp=4), make_adaptive()
    final(x, output, None)
    shares = []
    for _ in range(7):
        term(x, output, None)
        shares.append(float((term.weights - 1)[0] / (final.weights - 1)[0]))
    np.testing.assert_allclose(shares, [0, 0, 0.25, 0.5, 0.75, 1, 1], atol=1e-9)


def test_a_component_that_falls_silent_for_good_becomes_neutral():
    term = make_adaptive(beta=0.5, weight_max=100.0)
    codes = torch.ones(6, 8, dtype=torch.float64)
    codes[:, 0] = 5
    for _ in range(3):
        term(None, SAEOutput(None, DenseCodes(codes)), None)
    assert float(term.weights[0]) == pytest.approx(0.2)
    codes[:, 0] = 0
    seen = []
    for _ in range(60):
        term(None, SAEOutput(None, DenseCodes(codes)), None)
        seen.append(float(term.weights[0]))
    # Its last known activity holds until the averages say nothing any more.
    np.testing.assert_allclose(seen[:20], 0.2)
    assert seen[-1] == 1


def test_slow_averages_lose_no_precision(case):
    x, output, _ = case
    term = make_adaptive(statistic="mean", reference="top", beta=1 - 1e-12, normalize=True)
    term(x, output, None)
    assert bool(term.weights.isfinite().all())
    quick, slow = make_adaptive(beta=0.0), make_adaptive(beta=1 - 1e-9)
    for one in (quick, slow):
        one(x, output, None)
    np.testing.assert_allclose(quick.weights, slow.weights, rtol=1e-6)


def test_pinned_share(case):
    x, output, _ = case
    term = make_adaptive(weight_min=1.0, weight_max=1.0)
    term(x, output, None)
    assert float(term.pinned_share()) == 1


def firing(activities, shares):
    """Codes of 64 rows whose components have given means where they fire, on shares of rows."""
    rng = np.random.default_rng(0)
    dense = np.zeros((64, 8))
    for j, (activity, share) in enumerate(zip(activities, shares, strict=True)):
        rows = rng.choice(64, round(64 * share), replace=False)
        dense[rows, j] = rng.permutation(np.linspace(0.5, 1.5, len(rows))) * activity
    return dense


STRONG = np.array([0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 40.0, 1.0])
SHARES = np.array([0.5, 0.25, 0.5, 0.125, 1.0, 0.25, 0.5, 0.0])


def activities_of(dense, statistic):
    counts = (dense > 0).sum(0)
    return dense.sum(0) / (np.maximum(counts, 1) if statistic == "active_mean" else 64), counts > 0


@pytest.mark.parametrize("statistic", ["active_mean", "mean"])
@pytest.mark.parametrize("reference", [0, 0.25, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("cap", ["hard", "soft"])
def test_quantile_references_and_caps_against_numpy(statistic, reference, cap):
    dense = firing(STRONG, SHARES)
    bounds = {"weight_min": 0.2, "weight_max": 5.0}
    term = make_adaptive(
        statistic=statistic, reference=reference, cap=cap, gamma=0.7, normalize=True, **bounds
    )
    with count_host_reads() as counter:
        value = term(None, SAEOutput(None, DenseCodes(torch.tensor(dense))), None)
    assert counter.n_reads == 0
    activity, fired = activities_of(dense, statistic)
    raw = np.ones(8)
    raw[fired] = (np.quantile(activity[fired], reference) / activity[fired]) ** 0.7
    if cap == "hard":
        capped = np.clip(raw, 0.2, 5.0)
    else:
        b = np.where(raw < 1, np.log(0.2), np.log(5.0))
        capped = np.exp(b * np.tanh(np.log(raw) / b))
    mass = dense.mean(0)
    expected = capped * mass.sum() / (mass @ capped)
    np.testing.assert_allclose(term.weights, expected, rtol=1e-10)
    assert float(value) == pytest.approx((dense @ expected).mean())
    assert float(term.pinned_share()) == ((raw <= 0.2) | (raw >= 5)).mean() > 0


def test_a_soft_cap_is_smooth_increasing_and_leaves_ones():
    raw = torch.logspace(-6, 6, 2001, dtype=torch.float64)
    term = make_adaptive(cap="soft", weight_min=0.1, weight_max=10.0)
    capped = term._capped(raw)
    assert bool((capped.diff() >= 0).all()) and bool((capped[400:1600].diff() > 0).all())
    assert 0.1 <= float(capped.min()) < 0.1001
    assert 9.999 < float(capped.max()) <= 10
    near = (raw.log().abs() < 0.1).nonzero().flatten()
    np.testing.assert_allclose(capped[near], raw[near], rtol=1e-4)
    # The curve has no kink: its slope in logarithms changes little by little.
    slope = capped.log().diff() / raw.log().diff()
    assert float(slope.diff().abs().max()) < 0.01
    extremes = torch.tensor([0.0, 1.0, torch.inf], dtype=torch.float64)
    np.testing.assert_allclose(term._capped(extremes), [0.1, 1.0, 10.0])


def test_what_a_cap_leaves_to_tell_apart():
    """A hard cap makes all weights beyond a bound one; a soft one keeps them apart."""
    dense = firing(STRONG, SHARES)
    found = {}
    for cap in ("hard", "soft"):
        term = make_adaptive(cap=cap, reference=1.0, weight_min=0.5, weight_max=2.0)
        term(None, SAEOutput(None, DenseCodes(torch.tensor(dense))), None)
        found[cap] = term.weights.numpy()
        # Both count the same components as beyond the bounds.
        assert float(term.pinned_share()) == 6 / 8
    assert len(set(found["hard"].round(12))) == 2
    assert len(set(found["soft"].round(12))) > 2
    for weights in found.values():
        assert weights.min() >= 0.5 and weights.max() <= 2
        assert 7 < effective_sample_size(weights) < 8


def test_quantiles_are_silent_before_anything_fires():
    term = make_adaptive(reference=0.9, cap="soft")
    silent = DenseCodes(torch.zeros(6, 8, dtype=torch.float64))
    assert float(term(None, SAEOutput(None, silent), None)) == 0
    np.testing.assert_array_equal(term.weights, np.ones(8))
    assert float(term.pinned_share()) == 0


def make_module():
    module = Autoencoder(LinearEncoder(4, 8), TopK(2), LinearDecoder(4, 8)).double()
    sample = torch.randn(30, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    initialize_(module, "data", sample, torch.Generator().manual_seed(0))
    return module, sample


def test_auxk_is_zero_while_nothing_is_dead():
    module, x = make_module()
    term = AuxK(2)
    assert float(term(x, module(x), module)) == 0


@pytest.mark.parametrize("rectified", [True, False])
def test_auxk_against_numpy_and_its_gradient(rectified):
    module, x = make_module()
    if not rectified:
        with torch.no_grad():
            module.encoder.bias[[2, 5, 6]] = -9
    module.tracker.window = 1
    dead = torch.tensor([2, 5, 6])
    module.tracker.samples_since_fired[dead] = 100
    output = module.eval()(x)
    term = AuxK(2, rectified=rectified)
    value = term(x, output, module)
    W, c = module.encoder.weight.detach().numpy()[dead], module.encoder.bias.detach().numpy()[dead]
    D, b = module.decoder.atoms.detach().numpy()[dead], module.decoder.bias.detach().numpy()
    pre_codes = (x.numpy() - b) @ W.T + c
    values = np.maximum(pre_codes, 0) if rectified else pre_codes
    kept = np.where(pre_codes >= np.sort(pre_codes, 1)[:, -2:-1], values, 0)
    e = (x - output.reconstruction).detach().numpy()
    expected = ((e - kept @ D) ** 2).sum() / (e**2).sum()
    assert value.item() == pytest.approx(expected, rel=1e-10)
    value.backward()
    alive = [i for i in range(8) if i not in dead]
    for parameter in (module.encoder.weight, module.encoder.bias, module.decoder.atoms):
        assert not parameter.grad[alive].any()
        assert parameter.grad[dead].any()
    # Without the ReLU, b is a constant.
    assert (module.decoder.bias.grad is None) == (not rectified)


def test_auxk_chooses_by_codes_times_norms():
    """A component counts alike whether it has its norm in the encoder or in the atom."""
    module, x = make_module()
    module.decoder = free = FreeDecoder(4, 8).double()
    free.load_state_dict(make_module()[0].decoder.state_dict())
    module.tracker.window = 1
    module.tracker.samples_since_fired[:6] = 100
    output = module(x)
    before = AuxK(2)(x, output, module).item()
    factors = torch.logspace(-2, 2, 8, dtype=torch.float64)
    with torch.no_grad():
        module.encoder.weight.div_(factors[:, None])
        free.atoms.mul_(factors[:, None])
    assert AuxK(2)(x, output, module).item() == pytest.approx(before, rel=1e-10)


def test_auxk_of_one_row_is_of_the_size_of_its_error():
    module, x = make_module()
    module.tracker.window = 1
    module.tracker.samples_since_fired[:] = 100
    value = AuxK(2)(x[:1], module.eval()(x[:1]), module)
    assert 0 < value.item() < 100


def test_auxk_looks_for_the_dead_only_now_and_then():
    module, x = make_module()
    module.tracker.window = 10**6
    term = AuxK(2)
    output = module(x)
    term(x, output, module)
    module.tracker.samples_since_fired[3] = 10**7
    for _ in range(31):
        assert float(term(x, output, module)) == 0
    assert term(x, output, module).item() > 0
    assert term.eval().dead_indices.tolist() == [3]
