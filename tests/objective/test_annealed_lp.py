"""The annealed penalty against numpy: value, gradient, schedule, and continuity at each change."""

import numpy as np
import pytest
import torch
from helpers import from_slots

from sklearn_aensae.kernels import DenseCodes
from sklearn_aensae.modules import SAEOutput
from sklearn_aensae.objective.penalties import AnnealedLp


def make(n_updates=4, start=2, end=10, p_end=0.2, epsilon=0.1):
    return AnnealedLp(0.3, p_end, n_updates, epsilon=epsilon, start=start, end=end).double()


def output_of(codes):
    return SAEOutput(None, DenseCodes(torch.as_tensor(codes, dtype=torch.float64)))


def batches(n, seed=0):
    """Codes of batches of different sizes and scales, most of them 0."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        codes = rng.gamma(1, 1 + i % 3, (5 + i % 2, 8))
        yield codes * (rng.random(codes.shape) < 0.4)


def powers(codes, p, epsilon=0.1):
    return ((codes + epsilon) ** p - epsilon**p).sum() / len(codes)


@pytest.mark.parametrize("representation", ["active", "dense"])
def test_value_and_gradient_against_numpy(representation):
    values = torch.tensor([[0.5, 0.0, 3.0], [1e-9, 2.0, 0.7]], dtype=torch.float64)
    values.requires_grad_()
    codes = from_slots(values, torch.tensor([[1, 4, 6], [0, 3, 2]]), 8)
    if representation == "dense":
        codes = DenseCodes(codes.dense())
    term = make().eval()
    term.level = 4
    term.scale.fill_(1.7)
    value = term(None, SAEOutput(None, codes), None)
    value.backward()
    found = values.detach().numpy()
    assert value.item() == pytest.approx(1.7 * powers(found, 0.2))
    np.testing.assert_allclose(values.grad, 1.7 * 0.2 * (found + 0.1) ** -0.8 / 2)


def test_p_falls_from_one_to_its_end_in_equal_steps():
    term, seen = make(n_updates=4, start=2, end=10), []
    for codes in batches(14):
        term(None, output_of(codes), None)
        seen.append(term.p)
    np.testing.assert_allclose(seen, [1, 1, 1, 1, 0.8, 0.8, 0.6, 0.6, 0.4, 0.4, 0.2, 0.2, 0.2, 0.2])


def test_p_changes_once_per_step_at_most():
    term, seen = make(n_updates=3, start=2, end=2), []
    for codes in batches(7):
        term(None, output_of(codes), None)
        seen.append(term.level)
    assert seen == [0, 0, 1, 2, 3, 3, 3]


def test_the_factor_keeps_the_penalty_continuous():
    """At each change, the mean over the batches since the last one is the same with both p."""
    term = make(n_updates=4, start=3, end=43)
    scale, level, seen = 1.0, 0, []
    for codes in batches(60):
        value = term(None, output_of(codes), None).item()
        if term.level > level:
            weights = 0.9 ** np.arange(len(seen))[::-1]
            old, new = 1 - 0.2 * level, 1 - 0.2 * (level + 1)
            before = weights @ [powers(c, old) for c in seen]
            after = weights @ [powers(c, new) for c in seen]
            assert float(term.scale) * after == pytest.approx(scale * before, rel=1e-10)
            scale, level, seen = scale * before / after, term.level, []
        seen.append(codes)
        assert value == pytest.approx(scale * powers(codes, term.p), rel=1e-10)
    assert level == 4
    assert abs(scale - 1) > 0.2


def test_p_of_one_is_l1():
    term = make(p_end=1.0)
    for codes in batches(20):
        assert term(None, output_of(codes), None).item() == pytest.approx(codes.sum() / len(codes))
    assert float(term.scale) == 1


def test_silence_leaves_the_factor_alone():
    term = make()
    for _ in range(20):
        assert term(None, output_of(np.zeros((3, 8))), None).item() == 0
    assert float(term.scale) == 1


def test_evaluation_changes_nothing():
    term = make()
    for codes in batches(5):
        term(None, output_of(codes), None)
    state = str(term.state_dict())
    term.eval()
    for codes in batches(5, seed=1):
        term(None, output_of(codes), None)
    assert str(term.state_dict()) == state


@pytest.mark.parametrize("n_before", [0, 3, 6, 12])
def test_it_goes_on_from_its_state(n_before):
    whole, first, second = make(), make(), make()
    codes = list(batches(14))
    expected = [whole(None, output_of(c), None).item() for c in codes]
    found = [first(None, output_of(c), None).item() for c in codes[:n_before]]
    second.load_state_dict(first.state_dict())
    found += [second(None, output_of(c), None).item() for c in codes[n_before:]]
    assert found == expected
