"""Small data and quick fits that several tests use."""

import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from sklearn_aensae import all_saes
from sklearn_aensae.coding import Coding, solve
from sklearn_aensae.io._encoding import encode
from sklearn_aensae.io._state import pack
from sklearn_aensae.kernels import ActiveCodes, Pattern
from sklearn_aensae.training import Monitor

SAES = [cls for _, cls in all_saes()]
QUICK = {"max_epochs": 3, "batch_size": 32, "random_state": 0}


def make_data(n_samples=120, n_features=8, seed=0, dtype=np.float64):
    """Sparse positive combinations of random atoms, away from the origin."""
    rng = np.random.default_rng(seed)
    atoms = rng.normal(size=(2 * n_features, n_features))
    codes = rng.uniform(1, 3, (n_samples, len(atoms))) * (rng.random((n_samples, len(atoms))) < 0.2)
    return (codes @ atoms + rng.normal(size=n_features)).astype(dtype)


def quick(cls, n_components=24, **params):
    """An unfitted estimator that trains in a moment, with few codes and all views it can have."""
    fields = {"k": 4, "view_sizes": (0.25, 0.75)}
    small = {name: value for name, value in fields.items() if name in cls.__dataclass_fields__}
    return cls(n_components, **(QUICK | small | params))


def given(estimator, X):
    """What `fit` and `score` take: X and, where an estimator cannot do without, targets.

    Those are wider than X by half, not linear in it, and scale with it.
    """
    estimator = estimator() if isinstance(estimator, type) else estimator
    if not estimator.__sklearn_tags__().target_tags.required:
        return (X,)
    return X, targets_of(X)


def as_block(estimator, X):
    """What a stream gives of these rows: the rows, or a pair with their targets."""
    parts = given(estimator, X)
    return parts if len(parts) > 1 else X


def targets_of(X):
    """Targets of rows, of the kind that the rows are."""
    if isinstance(X, torch.Tensor):
        return torch.as_tensor(targets_of(X.double().numpy())).to(X.dtype)
    n_features = X.shape[1]
    map_ = np.random.default_rng(1).normal(size=(n_features, n_features + n_features // 2))
    return np.abs(np.asarray(X, dtype=np.float64) @ map_).astype(X.dtype)


def from_slots(values, columns, n_components):
    """Active codes from the values and the components of each row's slots."""
    n_rows, n_slots = values.shape
    starts = torch.arange(0, n_rows * n_slots + 1, n_slots, dtype=torch.int32)
    return ActiveCodes(values.flatten(), Pattern(columns.flatten().int(), starts, n_components))


def row_units(sae, X):
    """By how much the norm of each row exceeds that of a mean row: the scale of its biases."""
    sizes = getattr(sae, "view_sizes_", [X.shape[1]])
    views = np.repeat(getattr(sae, "view_scales_", sae.input_scale_), sizes)
    return np.linalg.norm(X * views, axis=1, keepdims=True) / np.sqrt(X.shape[1])


def codes_if_active(sae, X, unit=1.0):
    """Codes of all components as if they were active, from fitted attributes alone.

    `unit` scales the biases, for estimators with a scale per row.
    """
    linear = (X - unit * sae.encoder_offset_) @ sae.encoder_weights_.T
    if hasattr(sae, "magnitude_scale_"):
        return sae.magnitude_scale_ * linear + unit * sae.magnitude_bias_
    return linear + unit * sae.encoder_bias_


def codes_of(activation, pre_codes):
    """Codes that an activation makes of given pre-codes."""
    n = pre_codes.shape[1]
    identity, zeros = torch.eye(n, dtype=pre_codes.dtype), torch.zeros(n, dtype=pre_codes.dtype)
    return activation.encode(pre_codes, identity, zeros, zeros)


def state_of(sae):
    """All that a fit has led to, but how fast it was: plain values and the bytes of tensors."""
    content = pack(sae)
    history = {k: v for k, v in content["history"].items() if k != "rows_per_second"}
    tensors = {}
    kept = {k: v for k, v in content.items() if k not in {"parameters", "trained_with"}}
    plain = encode({**kept, "history": history}, tensors, "")
    return plain, {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


class Keep(Callback):
    """Keeps the weights before the first step, and what became of the step."""

    def on_batch_begin(self, net, training=False, **kwargs):
        if training and net.n_steps_ == 0:
            self.before = {n: p.detach().numpy().copy() for n, p in net.module_.named_parameters()}

    def on_batch_end(self, net, training=False, **kwargs):
        if training and net.n_steps_ == 1:
            self.loss = float(kwargs["loss"])
            self.gradients = {n: p.grad.numpy().copy() for n, p in net.module_.named_parameters()}


class Crash(BaseException):
    """Stands for the end of the process."""


@contextmanager
def dies_in_step(step):
    """End the process, so to speak, after the update of a step."""
    original = Monitor.on_batch_end

    def die(self, net, training=False, **kwargs):
        if training and net.n_steps_ == step:
            raise Crash
        original(self, net, training=training, **kwargs)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Crash):
        patch.setattr(Monitor, "on_batch_end", die)
        yield


class CrashAt:
    """Counts calls that reach the disk, and ends the process in the one of that number."""

    def __init__(self, monkeypatch, number, end=None):
        self.left = number
        self.end = end
        for owner, name in ((os, "fsync"), (os, "rmdir"), (Path, "replace"), (Path, "rename")):
            monkeypatch.setattr(owner, name, self.wrapped(getattr(owner, name)))

    def wrapped(self, function):
        def call(*args, **kwargs):
            self.left -= 1
            if self.left < 0:
                if self.end is not None:
                    self.end()
                raise Crash
            return function(*args, **kwargs)

        return call


def exact_codes(dictionary, X, lambda_1, lambda_2=0.0, weights=1.0):
    """Exact non-negative codes of rows in double precision, penalised as estimators are."""
    n_components, n = dictionary.shape
    alpha = np.broadcast_to(n * lambda_1 / 2 * np.asarray(weights, dtype=float), n_components)
    rows, atoms, alpha = (torch.tensor(array) for array in (X, dictionary, alpha.copy()))
    start = torch.zeros(len(X), 1, dtype=torch.long), torch.zeros(len(X), 1, dtype=torch.double)
    found = solve(Coding(rows, atoms, alpha, n * lambda_2), *start, tol=1e-12)
    return torch.zeros(len(X), n_components).double().scatter_add(1, *found[:2]).numpy()
