"""JumpReLUSAE: thresholds in the units of the input, targets, and what it was invented for."""

import numpy as np
import pytest
from helpers import codes_if_active, make_data, quick
from sklearn.base import clone

from sklearn_aensae import JumpReLUSAE
from sklearn_aensae.datasets import make_spiked_dictionary
from sklearn_aensae.metrics import dead_share

X = make_data()


@pytest.mark.parametrize("input_scaling", [None, "mean_norm"])
@pytest.mark.parametrize("sparse_output", [False, True])
def test_thresholds_decide_on_activity(input_scaling, sparse_output):
    sae = quick(JumpReLUSAE, dtype="float64", input_scaling=input_scaling).fit(X * 50)
    pre_codes = codes_if_active(sae, X * 50)
    expected = np.where(pre_codes > sae.threshold_, pre_codes, 0)
    codes = sae.set_params(sparse_output=sparse_output).transform(X * 50)
    codes = codes.toarray() if sparse_output else codes
    np.testing.assert_allclose(codes, expected, rtol=1e-8, atol=1e-10)
    assert ((pre_codes > 0) & (codes == 0)).any() or input_scaling is None


def test_thresholds_without_pre_codes_in_their_window_never_move():
    params = {"max_epochs": 10, "ste_to_input": False, "dead_features": None, "lambda_0": 1.0}
    still = quick(JumpReLUSAE, bandwidth=1e-12, **params).fit(X)
    deviation = np.sqrt(((X - X.mean(0)) ** 2).mean())
    np.testing.assert_allclose(still.threshold_, 0.5 * deviation, rtol=1e-5)
    given = quick(JumpReLUSAE, bandwidth=1e-12, initial_threshold=0.2, **params).fit(X)
    np.testing.assert_allclose(given.threshold_ * given.input_scale_, 0.2, rtol=1e-5)
    moving = quick(JumpReLUSAE, **params).fit(X)
    assert (moving.threshold_ > still.threshold_).mean() > 0.9


def test_a_large_mean_is_no_part_of_what_thresholds_and_penalties_measure():
    """Where it is nearly all of the rows' energy, what is left to explain is small."""
    X, _, _ = make_spiked_dictionary(
        11_000, 64, 256, n_active=8, rho=0.9, dtype=np.float32, random_state=0
    )
    params = {"target_l0": 8, "max_steps": 600, "batch_size": 256, "learning_rate": 8e-3}
    sae = JumpReLUSAE(256, **params, device="cpu", random_state=0)
    absolute = clone(sae).set_params(initial_threshold=0.5, bandwidth=1.0, lambda_0=1.0)
    variances, silent = [], []
    for one in (sae, absolute):
        variances.append(one.fit(X[:10_000]).score(X[10_000:]))
        silent.append(float(dead_share(one.transform(X[10_000:]))))
    print(f"EV {variances}, silent {silent}")
    assert variances[0] > variances[1] + 0.1
    assert silent[0] < 0.1


def test_a_target_for_l0_is_met():
    params = {"lambda_0": 1.0, "learning_rate": 1e-2, "max_epochs": 40}
    for target in (3.0, 6.0):
        l0 = quick(JumpReLUSAE, target_l0=target, **params).fit(X).history_["l0"][-1]
        print(f"target {target}: L0 {l0:.2f}")
        assert l0 == pytest.approx(target, rel=0.25)


def test_a_target_is_approached_slowly():
    X, _, _ = make_spiked_dictionary(6_000, 64, 256, n_active=8, dtype=np.float32, random_state=0)
    params = {"target_l0": 4, "max_steps": 400, "batch_size": 256, "learning_rate": 1.6e-2}
    slow = JumpReLUSAE(256, **params, device="cpu", random_state=0)
    fast = clone(slow).set_params(lambda_warmup=0.05)
    variances = [one.fit(X[:5_000]).score(X[5_000:]) for one in (slow, fast)]
    print(f"explained variance {variances[0]:.3f}, with a fast rise {variances[1]:.3f}")
    assert variances[0] > variances[1] + 0.05


def test_tanh_penalty_makes_sparse():
    params = {"penalty": "tanh", "learning_rate": 1e-2, "max_epochs": 20}
    l0 = [quick(JumpReLUSAE, lambda_0=s, **params).fit(X).history_["l0"][-1] for s in (0.0, 0.05)]
    assert l0[1] < 0.7 * l0[0]


def test_a_target_is_not_for_tanh():
    with pytest.raises(ValueError, match="target_l0=4 needs penalty='l0'"):
        quick(JumpReLUSAE, penalty="tanh", target_l0=4).fit(X)
    with pytest.raises(ValueError, match="bandwidth must be a number in"):
        quick(JumpReLUSAE, bandwidth=0).fit(X)


def test_a_target_is_met_without_further_tuning():
    X = make_data(n_samples=2000, n_features=16)
    sae = quick(JumpReLUSAE, 48, target_l0=6, max_epochs=40, batch_size=64).fit(X)
    assert (sae.transform(X) > 0).sum(1).mean() == pytest.approx(6, rel=0.15)
    with pytest.raises(ValueError, match="target_l0 must be less than the 48 components; got 48"):
        quick(JumpReLUSAE, 48, target_l0=48).fit(X)
