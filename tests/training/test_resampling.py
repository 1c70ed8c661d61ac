"""Resampling: what it changes, what it leaves alone, whom it draws, and that it can be resumed."""

import numpy as np
import pytest
import torch
from helpers import dies_in_step, make_data, quick, state_of
from skorch.callbacks import Callback

from sklearn_aensae import L1SAE, DecoderNormL1SAE, GatedSAE
from sklearn_aensae.testing import count_host_reads
from sklearn_aensae.training import resampling
from sklearn_aensae.training.resampling import Resampling, draw

X = make_data()
KILLED = range(5, 12)


class Kill(Callback):
    """Silences components from the start."""

    def __init__(self, killed=KILLED):
        self.killed = killed

    def on_train_begin(self, net, **kwargs):
        if not net.n_steps_:
            with torch.no_grad():
                net.module_.encoder.bias[list(self.killed)] = -1e3


def make(cls=L1SAE, killed=KILLED, **params):
    params = {"dead_window": 40, "learning_rate": 1e-2, "resample_at": [8], **params}
    return quick(cls, dead_features="resample", callbacks=[Kill(killed)], **params)


def weights(net):
    """Parameters and moments of the optimiser, by name."""
    named = {name: p.detach().clone() for name, p in net.module_.named_parameters()}
    for name, p in net.module_.named_parameters():
        for key, moment in net.optimizer_.state[p].items():
            named[f"{name}.{key}"] = moment.clone()
    return named


@pytest.fixture
def around(monkeypatch):
    """Weights before and after each resampling, its pool and the net."""
    seen = []
    original = Resampling._resample

    def watch(self, net, pool):
        before = weights(net)
        original(self, net, pool)
        seen.append((before, weights(net), torch.cat(pool), net))

    monkeypatch.setattr(Resampling, "_resample", watch)
    return seen


@pytest.mark.parametrize("cls", [L1SAE, DecoderNormL1SAE, GatedSAE])
def test_dead_rows_start_again_and_nothing_else_changes(cls, around):
    make(cls, max_steps=8).fit(X)
    ((before, after, pool, net),) = around
    module, dead = net.module_, list(KILLED)
    alive = [i for i in range(24) if i not in dead]
    per_component = {name for name in before if before[name].shape[:1] == (24,)}
    assert len(per_component) == (15 if cls is GatedSAE else 9)
    for name in before:
        kept = alive if name in per_component else ...
        torch.testing.assert_close(after[name][kept], before[name][kept], rtol=0, atol=0)
    for name in per_component - {"encoder.weight", "encoder.bias", "decoder.atoms"}:
        # Scales, other biases and all moments.
        assert not after[name][dead].any(), name
    centre = after["decoder.bias"]
    at_centre = after["encoder.weight"] @ (centre - module.offset.detach()) + after["encoder.bias"]
    torch.testing.assert_close(at_centre[dead], torch.zeros(len(dead)))
    norms = before["encoder.weight"].norm(dim=1)
    expected = 0.2 * norms[alive].mean().expand(len(dead))
    torch.testing.assert_close(after["encoder.weight"][dead].norm(dim=1), expected)
    torch.testing.assert_close(after["decoder.atoms"][dead].norm(dim=1), torch.ones(len(dead)))
    # Each fires on an input of its own, as its direction is that of the input.
    inputs = pool - centre
    directions = inputs / inputs.norm(dim=1, keepdim=True)
    cosines = after["decoder.atoms"][dead] @ directions.T
    torch.testing.assert_close(cosines.max(1).values, torch.ones(len(dead)))
    seeds = cosines.argmax(1)
    assert len(set(seeds.tolist())) == len(dead)
    codes = module.eval().encode(pool[seeds]).dense()
    assert bool((codes[range(len(dead)), dead] > 0).all())


@pytest.mark.parametrize("cls", [L1SAE, DecoderNormL1SAE])
def test_no_component_starts_again_at_the_mean(cls):
    sae = make(cls, max_steps=9, dtype="float64").fit(X + 20)
    mean = (X + 20).mean(0) / np.linalg.norm((X + 20).mean(0))
    assert abs(sae.components_[list(KILLED)] @ mean).max() < 0.9
    assert (sae.transform(X + 20)[:, list(KILLED)] > 0).mean() < 0.7


def test_draws_are_in_proportion_to_the_squared_loss():
    losses = np.array([0.0, 1.0, 2.0, 4.0])
    counts = np.zeros(4)
    for seed in range(4000):
        counts[draw(losses, 1, np.random.default_rng(seed))] += 1
    np.testing.assert_allclose(counts / 4000, losses**2 / 21, atol=0.03)


def test_no_row_is_drawn_twice_and_none_of_loss_zero():
    rng = np.random.default_rng(0)
    assert sorted(draw(np.array([0.0, 1.0, 2.0]), 5, rng)) == [1, 2]
    assert len(draw(np.zeros(4), 2, rng)) == 0
    # Squares that would overflow, or vanish, on their own.
    assert sorted(draw(np.array([1e200, 2e200, 0]), 2, rng)) == [0, 1]
    assert sorted(draw(np.array([1e-200, 2e-200, 0]), 2, rng)) == [0, 1]


def test_more_dead_than_inputs(around, monkeypatch):
    monkeypatch.setattr(resampling, "POOL_ROWS", 1)
    sae = make(killed=range(1, 24), batch_size=5, dead_window=20, max_steps=8)
    sae.fit(X)
    ((before, after, pool, _),) = around
    assert len(pool) == 5
    changed = (before["decoder.atoms"] != after["decoder.atoms"]).any(1)
    assert changed.sum() == 5


def test_all_dead_is_no_division_by_zero(around):
    make(killed=range(24), max_steps=8).fit(X)
    ((before, after, _, _),) = around
    mean = before["encoder.weight"].norm(dim=1).mean()
    norms = after["encoder.weight"].norm(dim=1)
    torch.testing.assert_close(norms, (0.2 * mean).expand(24))


def test_nothing_dead_nothing_changed(around):
    make(killed=[], max_steps=8, lambda_1=0.0).fit(X)
    ((before, after, _, _),) = around
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_rows_at_the_offset_have_no_direction(around):
    data = np.vstack([np.zeros((60, 8)), X[:60]])
    sae = make(DecoderNormL1SAE, max_steps=8, input_scaling=None)
    sae.fit(data)
    ((_, after, _, _),) = around
    assert all(bool(value.isfinite().all()) for value in after.values())
    torch.testing.assert_close(after["decoder.atoms"][KILLED].norm(dim=1), torch.ones(7))


def test_the_pool_is_the_last_rows(monkeypatch, around):
    monkeypatch.setattr(resampling, "POOL_ROWS", 60)
    make(shuffle=False, batch_size=20, dead_window=20, max_steps=9, resample_at=[5, 9]).fit(X)
    scale = np.sqrt(8) / np.linalg.norm(X, axis=1).mean()
    for (_, _, pool, _), stop in zip(around, (5, 9), strict=True):
        rows = [i % 120 for i in range(20 * stop - 60, 20 * stop)]
        np.testing.assert_allclose(pool, scale * X[rows], rtol=1e-5)


def test_shares_of_training_are_steps(around):
    sae = make(resample_at=[0.25, 0.5], max_steps=16)
    sae.fit(X)
    resampler = dict(sae.net_.callbacks_)["resample"]
    assert resampler.steps == [4, 8]
    assert len(around) == 2


@pytest.mark.parametrize("step", [3, 6, 9])
def test_a_killed_fit_goes_on_bit_for_bit(tmp_path, step):
    params = {"resample_at": [4, 8], "max_steps": 12, "checkpoint_interval": 1}
    folder = {"checkpoint_dir": tmp_path}
    with dies_in_step(step):
        make(**params, **folder).fit(X)
    resumed, whole = make(**params, **folder).fit(X), make(**params).fit(X)
    assert np.array_equal(resumed.components_, whole.components_)
    assert state_of(resumed)[1] == state_of(whole)[1]


def test_the_host_reads_only_when_it_is_due():
    reads = []
    for n in (8, 40):
        sae = make(max_steps=n, log_interval=8, dead_window=16, resample_at=[4])
        with count_host_reads() as counter:
            sae.fit(X)
        reads.append(counter.n_reads)
    plain = []
    for n in (8, 40):
        sae = make(max_steps=n, log_interval=8).set_params(dead_features=None)
        with count_host_reads() as counter:
            sae.fit(X)
        plain.append(counter.n_reads)
    assert reads[1] - reads[0] == plain[1] - plain[0]
    assert reads[0] > plain[0]
