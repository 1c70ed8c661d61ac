"""The log's statistics against numpy."""

import copy
import math

import numpy as np
import pytest
import torch
from helpers import from_slots

from sklearn_aensae.kernels import DenseCodes
from sklearn_aensae.modules import SAEOutput
from sklearn_aensae.training.interval import SAMPLE_ROWS, SAMPLE_STEPS, Interval


def make_steps(sizes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for i, size in enumerate(sizes):
        x = torch.randn(size, 5, generator=generator, dtype=torch.float64) + 100
        values = torch.rand(size, 2, generator=generator, dtype=torch.float64)
        columns = torch.rand(size, 6, generator=generator).argsort(1)[:, :2]
        codes = from_slots(values, columns, 6)
        codes = DenseCodes(codes.dense()) if i % 2 else codes
        noise = torch.randn(size, 5, generator=generator, dtype=torch.float64)
        loss = torch.rand((), generator=generator, dtype=torch.float64)
        yield x, SAEOutput(x + 0.3 * noise, codes), loss, {"l1": 2 * loss}


def test_summary_against_numpy():
    sizes = [7, 300, 4, 9, 6, 5]
    steps, interval = [*make_steps(sizes)], Interval()
    for step in steps:
        interval.add(*step)
    summary = interval.summary()
    weights = np.array(sizes) / sum(sizes)
    losses = np.array([float(loss) for _, _, loss, _ in steps])
    sampled = steps[::SAMPLE_STEPS]
    n_active = sum(float((o.codes.dense() > 0).sum()) for _, o, _, _ in sampled)
    assert summary.means == pytest.approx(
        {
            "loss": weights @ losses,
            "l1": 2 * weights @ losses,
            "l0": n_active / sum(len(x) for x, _, _, _ in sampled),
        }
    )
    x = np.concatenate([x[:SAMPLE_ROWS] for x, _, _, _ in sampled])
    fitted = np.concatenate([o.reconstruction[:SAMPLE_ROWS] for _, o, _, _ in sampled])
    expected = 1 - ((x - fitted) ** 2).sum() / ((x - x.mean(0)) ** 2).sum()
    assert summary.explained_variance == pytest.approx(expected)
    assert summary.sparse_share == 0.5
    assert (summary.n_rows, summary.n_steps, summary.first_bad) == (sum(sizes), 6, None)


def test_explained_variance_of_wide_rows_in_single_precision():
    generator, interval = torch.Generator().manual_seed(0), Interval()
    x = torch.randn(SAMPLE_ROWS, 8192, generator=generator)
    fitted = x + 0.1 * torch.randn(x.shape, generator=generator)
    codes = DenseCodes(torch.ones(SAMPLE_ROWS, 1))
    interval.add(x, SAEOutput(fitted, codes), torch.tensor(0.0), {})
    x, fitted = x.double().numpy(), fitted.double().numpy()
    unexplained = ((x - fitted) ** 2).sum() / ((x - x.mean(0)) ** 2).sum()
    found = 1 - interval.summary().explained_variance
    np.testing.assert_allclose(found, unexplained, rtol=1e-6)


def test_first_bad_step_is_found():
    interval = Interval()
    for i, (x, output, loss, terms) in enumerate(make_steps([3] * 5)):
        interval.add(x, output, loss * (math.nan if i >= 3 else 1), terms)
    assert interval.summary().first_bad == 3


def test_rows_without_spread_have_no_explained_variance():
    x, interval = torch.ones(3, 2), Interval()
    interval.add(x, SAEOutput(x, DenseCodes(torch.ones(3, 4))), torch.tensor(0.0), {})
    assert math.isnan(interval.summary().explained_variance)


def test_state_is_all_there_is():
    steps = [*make_steps([7, 300, 4, 9, 6, 5])]
    whole, first, second = Interval(), Interval(), Interval()
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for step in steps:
        whole.add(*step)
    for step in steps[:3]:
        first.add(*step)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for step in steps[3:]:
        second.add(*step)
    assert second.summary() == whole.summary()
