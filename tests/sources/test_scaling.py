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


@pytest.mark.parametrize("mode", [None, "mean_norm", "sample_norm"])
def test_rows_of_zeros(mode):
    zeros = torch.zeros(3, 4)
    scaling = InputScaling.fit(mode, zeros)
    assert scaling.factor > 0
    assert not scaling.scale(zeros).any()
