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
