"""BatchTopK against a full sort, its guesses, and its threshold for single rows."""

import numpy as np
import pytest
import torch
from helpers import codes_of, make_data, quick

from sklearn_aensae import BatchTopKSAE, _devices
from sklearn_aensae.modules.activations import BatchTopK


def naive(pre_codes, k):
    """Keep the k * n_rows largest of the whole batch."""
    codes = np.zeros_like(pre_codes)
    for at in np.argsort(-pre_codes.ravel(), kind="stable")[: k * len(pre_codes)]:
        codes.ravel()[at] = max(pre_codes.ravel()[at], 0)
    return codes


def batches(n_batches, scale=1.0):
    generator = torch.Generator().manual_seed(0)
    return [scale * torch.randn(20, 40, generator=generator) for _ in range(n_batches)]


@pytest.mark.parametrize("k", [1, 3, 40])
@pytest.mark.parametrize("reads_are_free", [True, False])
def test_training_keeps_the_largest_of_the_batch(k, reads_are_free, monkeypatch):
    monkeypatch.setattr(_devices, "reads_are_free", lambda device: reads_are_free)
    activation = BatchTopK(k).train()
    activation.n_candidates = 40
    # Smaller batches after larger ones: the guess is too high, and has to be given up.
    for pre_codes in [*batches(3), *batches(3, 0.1), -batches(1)[0].abs(), *batches(2)]:
        found = codes_of(activation, pre_codes).dense()
        np.testing.assert_array_equal(found, naive(pre_codes.numpy(), k))


def test_too_few_candidates_are_told_and_doubled(monkeypatch):
    monkeypatch.setattr(_devices, "reads_are_free", lambda device: False)
    activation = BatchTopK(1).train()
    pre_codes = -torch.ones(8, 40)
    pre_codes[3, :6] = torch.arange(6.0) + 1
    assert codes_of(activation, pre_codes).firing_counts.sum() == 4
    with pytest.warns(UserWarning, match="In 1 rows .* all 4 candidates"):
        activation.adapt()
    np.testing.assert_array_equal(
        codes_of(activation, pre_codes).dense(), naive(pre_codes.numpy(), 1)
    )
    activation.adapt()


def test_another_budget_makes_room_for_its_own_candidates():
    before, after = BatchTopK(2), BatchTopK(6)
    before.threshold.fill_(0.5)
    after.take_over(before)
    assert after.n_candidates == BatchTopK(6).n_candidates == 24
    assert after.threshold == 0.5
    # What had turned out to be too few is not tried again.
    before.n_candidates *= 2
    for k in (2, 6):
        after = BatchTopK(k)
        after.take_over(before)
        assert after.n_candidates == 8 * k


def test_a_row_may_take_more_than_its_share():
    pre_codes = torch.zeros(4, 10)
    pre_codes[1] = torch.arange(10.0) + 1
    codes = codes_of(BatchTopK(2).train(), pre_codes)
    assert codes.firing_counts.sum() == 8
    assert (codes.dense()[1] > 0).sum() == 8


def test_permuting_rows_permutes_codes():
    pre_codes, order = batches(1)[0], torch.randperm(20)
    codes = codes_of(BatchTopK(3).train(), pre_codes).dense()
    permuted = codes_of(BatchTopK(3).train(), pre_codes[order]).dense()
    np.testing.assert_array_equal(permuted, codes[order])


def test_single_rows_have_as_many_active_components_as_training():
    X = make_data(n_samples=2_000)
    sae = quick(BatchTopKSAE, k=3, max_epochs=10).fit(X)
    codes = sae.transform(X)
    assert (codes > 0).sum(axis=1).mean() == pytest.approx(3, rel=0.02)
    assert codes[codes > 0].min() > sae.threshold_ > 0
    pre_codes = (X - sae.encoder_offset_) @ sae.encoder_weights_.T + sae.encoder_bias_
    near = np.abs(pre_codes - sae.threshold_) < 1e-5
    np.testing.assert_array_equal((codes > 0) | near, (pre_codes > sae.threshold_) | near)


def test_without_calibration_the_threshold_is_a_running_mean():
    activation = BatchTopK(2).train()
    lowest = []
    for pre_codes in batches(5):
        codes = codes_of(activation, pre_codes).dense()
        lowest.append(codes[codes > 0].min())
    assert activation.threshold == pytest.approx(float(np.mean(lowest)), rel=1e-5)
    assert not activation.eval().training
    single = codes_of(activation, pre_codes).dense()
    np.testing.assert_array_equal(single > 0, pre_codes > activation.threshold)


def test_a_budget_that_is_not_used_up_has_no_threshold():
    X = make_data(n_samples=100)
    sae = quick(BatchTopKSAE, k=24, max_epochs=2).fit(X)
    assert sae.threshold_ == 0
