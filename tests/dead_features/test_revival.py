"""AuxK brings features back that a bad start had killed."""

import numpy as np
import torch
from helpers import quick
from skorch.callbacks import Callback

from sklearn_aensae import TopKSAE
from sklearn_aensae.datasets import make_sparse_codes

X, _, _ = make_sparse_codes(2000, 16, 32, n_active=3, random_state=0)


class KillHalf(Callback):
    """Makes half of the encoder so weak that its components are never among the k largest."""

    def on_train_begin(self, net, **kwargs):
        with torch.no_grad():
            net.module_.encoder.weight[:32] *= 1e-3


def test_auxk_revives_what_a_bad_start_killed():
    params = {"n_components": 64, "k": 4, "max_epochs": 40, "batch_size": 100}
    params |= {"learning_rate": 1e-2, "callbacks": [KillHalf()]}
    without = quick(TopKSAE, **params, dead_features=None).fit(X)
    with_auxk = quick(TopKSAE, **params).fit(X)
    assert without.n_dead_ >= 30
    assert with_auxk.n_dead_ < without.n_dead_ / 2
    assert np.max(with_auxk.history_["auxk"]) > 0
    assert with_auxk.score(X) > without.score(X)
