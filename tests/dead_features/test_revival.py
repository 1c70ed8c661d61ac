"""Each strategy brings features back that a bad start had killed."""

import functools

import numpy as np
import pytest
import torch
from helpers import quick
from skorch.callbacks import Callback

from sklearn_aensae import L1SAE, DecoderNormL1SAE, JumpReLUSAE, TopKSAE
from sklearn_aensae.datasets import make_sparse_codes

X, _, _ = make_sparse_codes(1000, 16, 32, n_active=3, random_state=0)


class KillHalf(Callback):
    """Makes half of the encoder so weak that its components are never among the k largest."""

    def on_train_begin(self, net, **kwargs):
        with torch.no_grad():
            net.module_.encoder.weight[:32] *= 1e-3


class SinkHalf(Callback):
    """Gives half of the components biases with which they are active on no row."""

    def __init__(self, depth):
        self.depth = depth

    def on_train_begin(self, net, **kwargs):
        with torch.no_grad():
            net.module_.encoder.bias[:32] -= self.depth


@functools.cache
def sunk(cls, name, depth):
    """Trained with half of the components sunk."""
    params = {"lambda_1": 0.03, "max_epochs": 8, "batch_size": 50, "learning_rate": 1e-2}
    params["dead_features"] = name
    return quick(cls, 64, **params, callbacks=[SinkHalf(depth)]).fit(X)


def test_auxk_revives_what_is_never_among_the_largest():
    params = {"n_components": 64, "k": 4, "max_epochs": 40, "batch_size": 100}
    params |= {"learning_rate": 1e-2, "callbacks": [KillHalf()]}
    without = quick(TopKSAE, **params, dead_features=None).fit(X)
    with_auxk = quick(TopKSAE, **params).fit(X)
    print(f"None: {without.n_dead_} of 64 dead; auxk: {with_auxk.n_dead_}")
    assert without.n_dead_ >= 30
    assert with_auxk.n_dead_ < without.n_dead_ / 2
    assert np.max(with_auxk.history_["auxk"]) > 0
    assert with_auxk.score(X) > without.score(X)


@pytest.mark.parametrize("name", ["auxk", "ghost", "resample"])
@pytest.mark.parametrize("cls", [L1SAE, DecoderNormL1SAE])
def test_revival_of_what_is_negative_on_every_row(cls, name):
    without, revived = sunk(cls, None, 1.0), sunk(cls, name, 1.0)
    shares = [sae.history_["dead_share"] for sae in (without, revived)]
    print(f"{cls.__name__}: {max(shares[0]):.2f} dead at first, {shares[0][-1]:.2f} in the end")
    print(f"with {name}: {shares[1][-1]:.2f}, EV {revived.score(X):.3f} ({without.score(X):.3f})")
    assert without.n_dead_ >= 12
    assert revived.n_dead_ <= 5
    assert revived.score(X) > without.score(X) - 0.01


@pytest.mark.parametrize("name", ["pre_activation", "auxk", "ghost"])
def test_revival_of_what_lies_below_its_threshold(name):
    params = {"n_components": 64, "max_epochs": 12, "batch_size": 50, "bandwidth": 1e-3}
    params |= {"learning_rate": 1e-2, "callbacks": [SinkHalf(1.0)], "initial_threshold": 0.1}
    without, revived = (
        quick(JumpReLUSAE, **params, dead_features=which).fit(X) for which in (None, name)
    )
    print(f"None: {without.n_dead_} of 64 dead; {name}: {revived.n_dead_}")
    assert without.n_dead_ >= 12
    assert revived.n_dead_ < 0.7 * without.n_dead_


def test_resampling_revives_what_no_gradient_reaches():
    names = (None, "auxk", "ghost", "resample")
    dead = {name: sunk(L1SAE, name, 1e3).n_dead_ for name in names}
    print(f"dead of 64: {dead}")
    assert dead[None] == 32
    assert dead["ghost"] > 20
    assert dead["resample"] < 5
