"""The dense reference restates our estimators: same losses, same gradients, same fits."""

import numpy as np
import pytest
import torch

from .dense import Dense, DenseAEN, DensePaperAEN, DenseTopK, SparseDenseAEN
from .interleave import Stepper, interleave
from .ours import AEN, SparseAEN, TopK, initial_weights, parameters
from .problem import Setting, make_problem
from .start import sparse_start

SETTING = Setting(600, 16, 48, 64, k=4, n_atoms=32, n_active=3)


def whole_fit(**sizes):
    return make_problem(SETTING, schedules=True, in_order=True, n_steps=40, **sizes)


def run(method, n_steps):
    """Losses of ours, or of the dense reference, over some steps."""
    stepper, losses = Stepper(method), []
    for _ in range(n_steps):
        stepper.step()
        losses.append(
            method.last_loss.item()
            if isinstance(method, Dense)
            else sum(value.item() for value in method.net.criterion_.last_values.values())
        )
    stepper.stop()
    return losses


@pytest.mark.parametrize(("ours", "dense"), [(TopK, DenseTopK), (AEN, DenseAEN)])
def test_the_dense_reference_restates_our_whole_fit(ours, dense):
    sizes = {"learning_rate": 1e-2, "lambda_1": 0.02}
    mine, other = ours(whole_fit(**sizes)), dense(whole_fit(**sizes))
    np.testing.assert_allclose(run(mine, 40), run(other, 40), rtol=1e-4)
    x = mine.problem.X
    (a, l0), (b, other_l0) = mine.reconstruct(x), other.reconstruct(x)
    torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-3)
    assert l0 == pytest.approx(other_l0, rel=1e-3)


@pytest.mark.parametrize(("ours", "dense"), [(TopK, DenseTopK), (AEN, DenseAEN)])
def test_gradients_are_ours(ours, dense):
    mine, other = ours(whole_fit()), dense(whole_fit())
    x = mine.problem.X[:64]
    run(mine, 1)
    other.begin()
    net = mine.net
    with torch.no_grad():
        for name, weight in other.weights.items():
            weight.copy_(parameters(net)[name])
    net.module_.zero_grad()
    # Without the penalties' rise, which the callbacks of a fit would set.
    for term in net.criterion_.terms.values():
        term.weight.fill_(term.final_weight)
    net.criterion_.eval()
    net.criterion_(x, net.module_(x), net.module_).backward()
    if dense is DenseAEN:
        other.adaptive.update = lambda codes: net.criterion_.terms["l1"].weights
    other.loss(x, *other.forward(x), step=1_000).backward()
    for name, weight in other.weights.items():
        torch.testing.assert_close(parameters(net)[name].grad, weight.grad, rtol=1e-4, atol=1e-7)


def test_the_authors_formula_is_ours_with_their_settings():
    class Published(AEN):
        """Our estimator with the rule as published."""

        def parameters(self):
            rule = {"ema_correction": False, "weight_statistic": "mean", "weight_reference": "top"}
            return {**super().parameters(), **rule, "normalize_weights": False}

    sizes = {"learning_rate": 1e-2, "lambda_1": 0.02}
    mine, other = Published(whole_fit(**sizes)), DensePaperAEN(whole_fit(**sizes))
    np.testing.assert_allclose(run(mine, 40), run(other, 40), rtol=1e-4)


def test_a_sparse_start_is_as_sparse_as_asked():
    problem = make_problem(SETTING, l0=5)
    for cls in (SparseAEN, SparseDenseAEN):
        method = cls(problem)
        interleave([method], 3, warm_up=1)
        assert method.reconstruct(problem.X[:512])[1] == pytest.approx(5, rel=0.1)
    start = sparse_start(problem)
    assert {name: tuple(w.shape) for name, w in start.items()} == {
        name: tuple(w.shape) for name, w in initial_weights(AEN, problem).items()
    }
