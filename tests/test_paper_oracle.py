"""The paper's training step in plain numpy, held against ours step by step in float64."""

import numpy as np
import pytest
from skorch.callbacks import Callback

from sklearn_aensae import AdaptiveElasticNetSAE

N_STEPS, BATCH, N_FEATURES, N_COMPONENTS = 50, 16, 6, 20
LAMBDA_1, LAMBDA_2, LEARNING_RATE = 0.05, 0.01, 1e-2
START, RAMP, BETA, GAMMA, TOP, W_MIN, W_MAX = 10, 20, 0.9, 0.7, 0.2, 0.05, 4.0


class Recorder(Callback):
    """Keeps all weights before training and after every step."""

    def on_train_begin(self, net, **kwargs):
        self.steps = [weights_of(net)]
        self.adaptive = []
        self.losses = []

    def on_batch_end(self, net, loss=None, **kwargs):
        self.steps.append(weights_of(net))
        self.adaptive.append(net.criterion_.terms["l1"].weights.numpy().copy())
        self.losses.append(float(loss))


def weights_of(net):
    module = net.module_
    tensors = (module.encoder.weight, module.encoder.bias, module.decoder.atoms)
    return [t.detach().numpy().copy() for t in (*tensors, module.decoder.bias)]


class PaperStep:
    """Loss, EMA, weights, ramp and update as published, written for reading, not for speed."""

    def __init__(self, weights):
        self.weights = [w.copy() for w in weights]
        self.first = [np.zeros_like(w) for w in weights]
        self.second = [np.zeros_like(w) for w in weights]
        self.ema = np.ones(N_COMPONENTS)
        self.t = 0

    def adaptive_weights(self, h):
        self.ema = BETA * self.ema + (1 - BETA) * np.abs(h).mean(0)
        self.t += 1
        ema = np.maximum(self.ema, 1e-5)
        k = max(1, int(np.floor(TOP * N_COMPONENTS)))
        reference = np.sort(ema)[-k:].mean()
        w = np.clip((reference / ema) ** GAMMA, W_MIN, W_MAX)
        fade = 0.0 if self.t < START else min(1.0, (self.t - START) / RAMP)
        return 1 + fade * (w - 1)

    def __call__(self, x):
        W, c, D, b = self.weights
        B, n = x.shape
        pre = (x - b) @ W.T + c
        h = np.maximum(pre, 0)
        w = self.adaptive_weights(h)
        error = h @ D + b - x
        loss = (
            (error**2).sum() / (B * n)
            + LAMBDA_1 * (w * np.abs(h)).sum() / B
            + LAMBDA_2 * (h**2).sum() / B
        )
        d_out = 2 * error / (B * n)
        d_pre = (d_out @ D.T + LAMBDA_1 * w / B + 2 * LAMBDA_2 * h / B) * (pre > 0)
        gradients = [
            d_pre.T @ (x - b),
            d_pre.sum(0),
            h.T @ d_out,
            d_out.sum(0) - d_pre.sum(0) @ W,
        ]
        self.adam(gradients)
        self.weights[2] /= np.maximum(np.linalg.norm(self.weights[2], axis=1, keepdims=True), 1e-12)
        return loss, w

    def adam(self, gradients):
        for i, g in enumerate(gradients):
            self.first[i] = 0.9 * self.first[i] + 0.1 * g
            self.second[i] = 0.999 * self.second[i] + 0.001 * g**2
            mean = self.first[i] / (1 - 0.9**self.t)
            variance = self.second[i] / (1 - 0.999**self.t)
            self.weights[i] -= LEARNING_RATE * mean / (np.sqrt(variance) + 1e-8)


@pytest.fixture(scope="module")
def run():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_STEPS * BATCH, N_FEATURES)) * 2 + 1
    recorder = Recorder()
    AdaptiveElasticNetSAE(
        N_COMPONENTS, lambda_1=LAMBDA_1, lambda_2=LAMBDA_2, gamma=GAMMA, ema_beta=BETA,
        ema_correction=False, weight_statistic="mean", weight_reference="top",
        weight_top_share=TOP, weight_min=W_MIN, weight_max=W_MAX, normalize_weights=False,
        adaptation_start=START, adaptation_ramp=RAMP, lambda_warmup=0, lr_warmup=0, lr_decay=0,
        learning_rate=LEARNING_RATE, init="paper", input_scaling=None, shuffle=False,
        batch_size=BATCH, max_epochs=1, dtype="float64", random_state=0, callbacks=[recorder],
    ).fit(X)  # fmt: skip
    return X, recorder


def test_published_initialization(run):
    W, c, D, b = run[1].steps[0]
    assert np.abs(W).max() <= N_FEATURES**-0.5
    assert np.abs(c).max() <= N_FEATURES**-0.5
    assert np.allclose(np.linalg.norm(D, axis=1), 1, atol=1e-12)
    assert not b.any()


def test_fifty_steps_agree(run):
    X, recorder = run
    step = PaperStep(recorder.steps[0])
    moved = 0.0
    for i in range(N_STEPS):
        loss, w = step(X[i * BATCH : (i + 1) * BATCH])
        assert recorder.losses[i] == pytest.approx(loss, rel=1e-10)
        np.testing.assert_allclose(recorder.adaptive[i], w, rtol=1e-9)
        for ours, theirs in zip(recorder.steps[i + 1], step.weights, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)
        moved = max(moved, float(np.abs(w - 1).max()))
    # The options under test were really on.
    assert moved > 0.5
    assert step.t == N_STEPS
