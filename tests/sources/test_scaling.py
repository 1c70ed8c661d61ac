"""The units of training."""

import numpy as np
import pytest
import torch

from sklearn_aensae.sources import InputScaling

X = np.random.default_rng(0).normal(size=(50, 4)) * 3 + 1


def test_mean_norm():
    scaling = InputScaling.fit("mean_norm", torch.tensor(X))
    scaled = scaling.scale(torch.tensor(X))
    assert float(scaled.norm(dim=1).mean()) == pytest.approx(2)  # sqrt(4)
    np.testing.assert_allclose(scaled / scaling.factors(torch.tensor(X)), X)


def test_sample_norm():
    scaling = InputScaling.fit("sample_norm", torch.tensor(X))
    scaled = scaling.scale(torch.tensor(X))
    np.testing.assert_allclose(scaled.norm(dim=1), np.full(50, 2.0))
    assert scaling.factor == pytest.approx(2 / np.linalg.norm(X, axis=1).mean())


@pytest.mark.parametrize("unit", [1e-30, 1e-9, 1e20])
def test_the_unit_of_the_data_does_not_matter(unit):
    rows = torch.tensor(X * unit, dtype=torch.float32)
    scaled = InputScaling.fit("sample_norm", rows).scale(rows)
    expected = X * 2 / np.linalg.norm(X, axis=1, keepdims=True)
    np.testing.assert_allclose(scaled, expected, rtol=1e-5)


def test_targets_of_rows_of_zeros_are_those_of_a_mean_row():
    rows = torch.tensor(np.hstack([X, np.ones((50, 1))]))
    rows[:2, :4] = 0
    scaling = InputScaling.fit("sample_norm", rows, n_targets=1)
    x, targets = scaling.prepare_(rows.clone(), 1)
    assert not x[:2].any()
    np.testing.assert_allclose(targets[:2], scaling.factor * scaling.target_factor)


def test_rows_next_to_0_count_as_0_on_the_way_back():
    rows = torch.tensor(X)
    scaling = InputScaling.fit("sample_norm", rows)
    np.testing.assert_allclose(scaling.sizes(rows), 1 / scaling.factors(rows))
    small = rows[:1] * torch.tensor([[1e-5], [1e-9], [0]])
    assert (scaling.sizes(small) > 0).flatten().tolist() == [True, False, False]
    assert scaling.factors(small).isfinite().all()


@pytest.mark.parametrize("mode", [None, "mean_norm", "sample_norm"])
def test_rows_of_zeros(mode):
    zeros = torch.zeros(3, 4)
    scaling = InputScaling.fit(mode, zeros)
    assert scaling.factor > 0
    assert not scaling.scale(zeros).any()
