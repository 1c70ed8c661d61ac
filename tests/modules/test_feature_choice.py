"""Feature Choice against loops over components that are obviously right."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from helpers import codes_of

from sklearn_aensae import _devices
from sklearn_aensae.kernels import sort_by_column
from sklearn_aensae.modules.activations import FeatureChoice, feature_choice
from sklearn_aensae.modules.activations.feature_choice import RANKING_INTERVAL
from sklearn_aensae.modules.zipf import zipf_densities


def make(k=3, n_components=12, exponent=1.0, offset=0.0):
    densities = zipf_densities(n_components, k, exponent, offset)
    return FeatureChoice(k, densities).double().train(), densities


def draw(seed, n_rows=40, n_components=12):
    generator = torch.Generator().manual_seed(seed)
    pre_codes = torch.randn(n_rows, n_components, generator=generator, dtype=torch.float64)
    return pre_codes * torch.linspace(0.2, 2, n_components) - 0.3


def naive_choice(pre_codes, quotas):
    codes = np.zeros_like(pre_codes)
    for j, quota in enumerate(quotas):
        for i in sorted(range(len(pre_codes)), key=lambda i: -pre_codes[i, j])[:quota]:
            codes[i, j] = max(pre_codes[i, j], 0)
    return codes


@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_against_a_loop_over_many_batches(exponent, monkeypatch):
    activation, _ = make(exponent=exponent)
    quotas, retried = [], []
    compute, keep = FeatureChoice.quotas, FeatureChoice.keep

    def noted_quotas(self, n_rows):
        quotas.append(compute(self, n_rows))
        return quotas[-1]

    def noted_keep(self, values, pattern):
        found = keep(self, values, pattern)
        retried.append(found is None)
        return found

    monkeypatch.setattr(FeatureChoice, "quotas", noted_quotas)
    monkeypatch.setattr(FeatureChoice, "keep", noted_keep)
    for batch in range(2 * RANKING_INTERVAL):
        # Batches of any size, and now and then much smaller pre-codes than was to be guessed.
        pre_codes = draw(batch, n_rows=1 + 7 * batch % 40) * (0.1 if batch % 9 == 8 else 1)
        codes = codes_of(activation, pre_codes)
        expected = naive_choice(pre_codes.numpy(), quotas[-1].tolist())
        np.testing.assert_array_equal(codes.dense(), expected)
        assert quotas[-1].sum() == 3 * len(pre_codes)
        # What is chosen and not positive is no entry at all.
        assert bool((codes.values > 0).all())
    assert 3 < sum(retried) < len(retried) - sum(retried)


@pytest.mark.parametrize("n_rows", [1, 2, 31, 4096])
def test_quotas_are_exact_in_sum_and_right_in_the_mean(n_rows):
    activation, densities = make(k=5, n_components=60)
    seen = []
    for activation.n_calls in range(2000):
        quotas = activation.quotas(n_rows).numpy()
        assert quotas.sum() == 5 * n_rows
        assert quotas.max() <= n_rows
        seen.append(quotas)
    exact = n_rows * densities.numpy()
    assert (np.abs(np.array(seen) - exact) < 1 + 1e-6).all()
    np.testing.assert_allclose(np.mean(seen, 0), exact, atol=5e-3)
    # A quota below one per batch comes in even intervals.
    rare = np.array(seen)[:, -1]
    if exact[-1] < 1:
        gaps = np.diff(np.nonzero(rare)[0])
        assert gaps.max() < 2.7 / exact[-1] + 1


def test_quotas_are_those_of_exact_arithmetic():
    activation, densities = make(k=5, n_components=60)
    activation.n_calls = 77
    start = Fraction(77 * 2_654_435_769 % 2**32, 2**32)
    ends, end = [int(start)], start
    for density in densities.tolist():
        end += 1000 * Fraction(density)
        # Sums in double precision: none is so near to a whole number that it would matter.
        assert abs(end - round(end)) > 1e-5 or density == 1 or len(ends) == 60
        ends.append(int(end + Fraction(1, 10**9)))
    np.testing.assert_array_equal(activation.quotas(1000), np.diff(ends))


def test_ranks_follow_the_demand():
    activation, _ = make()
    pre_codes = draw(0)
    codes_of(activation, pre_codes)
    lowest = np.sort(pre_codes.numpy().ravel())[-3 * 40]
    demand = (pre_codes.numpy() >= lowest).mean(0)
    np.testing.assert_allclose(activation.demand, demand)
    assert demand[activation.rank.argsort().numpy()].tolist() == sorted(demand)[::-1]
    before = activation.rank.clone()
    for batch in range(1, RANKING_INTERVAL):
        codes_of(activation, draw(batch).flip(1))
        assert torch.equal(activation.rank, before)
    for batch in range(4 * RANKING_INTERVAL):
        codes_of(activation, draw(batch).flip(1))
    # The last shall be first: demand is not dictated by the quotas of before.
    assert activation.rank[:4].max() < activation.rank[-4:].min()
    assert before[:4].sum() > before[-4:].sum()


def test_quotas_that_cannot_be_filled_stay_unused():
    activation, _ = make(exponent=0.0)
    pre_codes = -torch.ones(8, 12, dtype=torch.float64)
    pre_codes[:5, 0] = 1.0
    pre_codes[5:, 0] = 0.0
    pre_codes[3, 1] = 2.0
    codes = codes_of(activation, pre_codes)
    assert codes.firing_counts.tolist() == [2, 1] + [0] * 10
    assert codes_of(activation, -torch.ones(8, 12, dtype=torch.float64)).firing_counts.sum() == 0


@pytest.mark.parametrize("k", [3, 12])
def test_calibrated_densities_are_the_quotas(k):
    activation, densities = make(k=k)
    for batch in range(60):
        codes_of(activation, draw(batch) + 6)
    pre_codes = draw(99, n_rows=5000) + 6
    running = activation.threshold.clone()
    activation.calibrate(lambda: iter(pre_codes.split(700)), 5000)
    assert k == 12 or not torch.equal(activation.threshold, running)
    codes = codes_of(activation.eval(), pre_codes)
    wanted = 5000 * densities[activation.rank]
    positive = (pre_codes > 0).sum(0)
    assert (codes.firing_counts - torch.minimum(wanted, positive)).abs().max() <= 1
    if k == 3:
        assert codes.l0().item() == pytest.approx(3, rel=1e-3)
    # Row by row, as ever.
    one = codes_of(activation, pre_codes[7:8])
    np.testing.assert_array_equal(one.dense()[0], codes.dense()[7])


def test_thresholds_that_were_far_too_high_are_found_all_the_same():
    activation, densities = make()
    activation.threshold.fill_(1e6)
    pre_codes = draw(1, n_rows=1000) + 3
    activation.calibrate(lambda: iter(pre_codes.split(300)), 1000)
    counts = codes_of(activation.eval(), pre_codes).firing_counts
    assert (counts - 1000 * densities[activation.rank]).abs().max() <= 1


def test_running_thresholds_are_means_of_the_smallest_kept():
    activation, _ = make(exponent=0.0)
    smallest = []
    for batch in range(5):
        dense = codes_of(activation, draw(batch) + 3).dense()
        smallest.append(torch.where(dense > 0, dense, torch.inf).amin(0))
    torch.testing.assert_close(activation.threshold, torch.stack(smallest).mean(0))


def test_without_reads_the_choice_is_the_same_and_its_size_is_fixed(monkeypatch):
    host, device = make()[0], make()[0]
    for batch in range(60):
        pre_codes = draw(batch)
        expected = codes_of(host, pre_codes)
        with monkeypatch.context() as patch:
            patch.setattr(_devices, "reads_are_free", lambda device: False)
            codes = codes_of(device, pre_codes)
        # Twelve components are four times k: every pre-code is a candidate.
        np.testing.assert_array_equal(codes.dense(), expected.dense())
        assert torch.equal(codes.firing_counts, expected.firing_counts)
        assert len(codes.values) == 3 * 40
        torch.testing.assert_close(device.threshold, host.threshold)


def test_calibration_keeps_no_more_than_the_quotas_at_a_time(monkeypatch):
    activation, _ = make(k=2, n_components=60)
    pre_codes = torch.cat([draw(seed, n_components=60) for seed in range(20)])
    quotas = activation._whole(len(pre_codes), 2**31).tolist()
    sizes = []

    def noted(values, columns, n_columns):
        sizes.append(len(values))
        return sort_by_column(values, columns, n_columns)

    monkeypatch.setattr(feature_choice, "sort_by_column", noted)
    activation.calibrate(lambda: iter(pre_codes.split(8)), len(pre_codes))
    for column, quota, found in zip(pre_codes.T, quotas, activation.threshold, strict=True):
        ordered = column.sort(descending=True).values
        both = ordered[[max(quota - 1, 0), quota]].clamp(min=0)
        assert found == (both.mean() if quota and both[1] > 0 else both[1])
    room = sum(quotas) + len(quotas)
    assert max(sizes) <= 2 * room + 8 * 60 < (pre_codes > 0).sum()
