"""The controller of L0 by itself: its law, its limits, and that it reads nothing."""

import math

import numpy as np
import pytest
import torch

from sklearn_aensae.testing import count_host_reads
from sklearn_aensae.training import L0Control
from sklearn_aensae.training import penalty_control as law

N_STEPS = 1_000


def plain(l0s, target, speeds, rising):
    """The law in plain Python, from its formula."""
    log, error = 0.0, None
    for step, (l0, speed, is_rising) in enumerate(zip(l0s, speeds, rising, strict=True)):
        found = math.log(max(l0 / target, law.SMALLEST_L0))
        before = found if error is None else error
        pace = 1.0 if step < law.SETTLED * N_STEPS else max(speed, law.SLOWEST)
        error = before + (found - before) * pace
        share = max(0.0, 1 - step / (law.SETTLED * N_STEPS))
        gain = law.GAINS[1] + (law.GAINS[0] - law.GAINS[1]) * share
        summed = min(max(error, -law.LARGEST), 0.0 if is_rising else law.LARGEST)
        log += gain / pace * (error - before) + summed / max(
            law.FASTEST, pace * law.RESET * N_STEPS
        )
    return log


def test_oracle():
    rng = np.random.default_rng(0)
    l0s = np.exp(rng.normal(2, 2, size=500))
    l0s[100:110] = 0.0
    speeds, rising = rng.random(500), np.arange(500) < 50
    control = L0Control(0.01, 8.0, N_STEPS)
    for step, (l0, speed, is_rising) in enumerate(zip(l0s, speeds, rising, strict=True)):
        control.update_(torch.tensor(l0), step, speed, bool(is_rising))
    expected = plain(l0s, 8.0, speeds, rising)
    assert float(control.log_factor) == pytest.approx(expected, rel=1e-9)
    assert float(control.strength()) == pytest.approx(0.01 * math.exp(expected), rel=1e-9)
    assert control.report() == {"lambda_1": float(control.strength())}


@pytest.mark.parametrize("slope", [0.4, 1.0, 1.5])
@pytest.mark.parametrize("start", [0.1, 10.0])
def test_settles_on_what_answers_at_once_by_a_power_law(start, slope):
    control = L0Control(start, 8.0, N_STEPS)
    for step in range(N_STEPS):
        found = 8.0 * control.strength() ** -slope
        control.update_(found, step, 1.0, is_rising=step < 50)
    # What is left falls by e in RESET * (1 / slope + last gain) of training: in 0.14 at most, so
    # five times once the gain has settled.
    assert float(found) == pytest.approx(8, rel=2e-3)
    assert float(control.strength()) == pytest.approx(1, rel=1e-2)


def test_keeps_up_with_a_drift_while_the_learning_rate_falls():
    """L0 rises as steps get smaller, and answers by a share of them."""
    control, log_l0 = L0Control(1.0, 8.0, N_STEPS), math.log(8.0)
    for step in range(N_STEPS):
        speed = min(1.0, (N_STEPS - step) / (0.2 * N_STEPS))
        rest = math.log(8.0) - float(control.strength().log()) + 0.4 * (1 - speed)
        log_l0 += 0.05 * speed * (rest - log_l0)
        control.update_(torch.tensor(math.exp(log_l0)), step, speed, is_rising=False)
    assert math.exp(log_l0) == pytest.approx(8, rel=0.05)


@pytest.mark.parametrize("n_steps", [600, 1_200, 4_000])
@pytest.mark.parametrize("slope", [1.0, 3.0, 6.0])
def test_does_not_swing_where_l0_answers_strongly_and_late(slope, n_steps):
    """As on noisy rows: L0 follows with the delays of weights and of the optimiser's averages."""
    rng = np.random.default_rng(0)
    control, log_l0, momentum, seen = L0Control(1.0, 8.0, n_steps), math.log(8.0), 0.0, []
    for step in range(n_steps):
        speed = min(1.0, (n_steps - step) / (0.2 * n_steps))
        rest = math.log(8.0) - slope * float(control.strength().log()) + 0.1 * (1 - speed)
        momentum += 0.1 * (rest - log_l0 - momentum)
        log_l0 += 0.05 * speed * momentum
        noise = 0.07 * rng.standard_normal()
        control.update_(torch.tensor(math.exp(log_l0 + noise)), step, speed, is_rising=False)
        seen.append(math.exp(log_l0))
    settled = np.array(seen[3 * n_steps // 5 :])
    print(f"L0 {settled.min():.2f} to {settled.max():.2f}, at the end {settled[-1]:.2f}")
    assert settled[-1] == pytest.approx(8, rel=0.05)
    assert settled.max() < 1.2 * 8
    assert settled.min() > 8 / 1.2


def test_an_error_above_zero_says_nothing_while_the_penalty_rises():
    for l0, moves in ((80.0, False), (1.0, True)):
        control = L0Control(0.01, 8.0, N_STEPS)
        for step in range(50):
            control.update_(torch.tensor(l0), step, 1.0, is_rising=True)
        assert (float(control.log_factor) < -0.1) == moves


def test_nothing_is_read():
    control = L0Control(0.01, 8.0, N_STEPS)
    with count_host_reads() as counter:
        for step in range(3):
            control.update_(torch.tensor(5.0), step, 1.0, is_rising=False)
            control.strength()
    assert counter.n_reads == 0
