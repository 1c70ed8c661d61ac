"""Warnings point at the line of the user, not at one of this library or of what it calls."""

import warnings

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from sklearn_aensae import L1SAE, FeatureChoiceSAE, fit_many
from sklearn_aensae.exceptions import TrainingInterruptedWarning

X = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")
ALL = (np.arange(64), np.arange(64))
RARE = {"n_components": 200, "k": 2, "batch_size": 16, "max_steps": 2}


class Stop(Callback):
    """Interrupts training as Ctrl-C does."""

    def on_batch_end(self, net, **kwargs):
        """Stop after the first step."""
        net.interrupted_ = True


@pytest.mark.parametrize(
    ("call", "category"),
    [
        (lambda: FeatureChoiceSAE(**RARE).fit(X), UserWarning),
        (lambda: fit_many([FeatureChoiceSAE(**RARE)], X), UserWarning),
        (lambda: L1SAE(8, max_steps=3, callbacks=[Stop()]).fit(X), TrainingInterruptedWarning),
        (lambda: make_pipeline(FeatureChoiceSAE(**RARE)).fit(X), UserWarning),
        (lambda: make_pipeline(FeatureChoiceSAE(**RARE)).fit_transform(X), UserWarning),
        (lambda: GridSearchCV(FeatureChoiceSAE(**RARE), {"k": [2]}, cv=[ALL]).fit(X), UserWarning),
    ],
)
def test_the_line_is_the_users(call, category):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        call()
    assert {(one.category, one.filename) for one in told} == {(category, __file__)}
