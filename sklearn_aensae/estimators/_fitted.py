"""What a fit has learned, as attributes: the only place where they are written."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sklearn_aensae.modules import Autoencoder

if TYPE_CHECKING:
    from sklearn_aensae.estimators._base import BaseSAE

__all__ = ["read_module", "to_array", "write_fitted"]


def to_array(tensor: Tensor) -> NDArray[np.floating]:
    """Return a copy of a tensor as an array on the host."""
    return tensor.detach().cpu().numpy().copy()


def read_module(estimator: "BaseSAE") -> Autoencoder:
    """Return what is applied to rows in the units of training, to give outputs in theirs."""
    module: Autoencoder = estimator.net_.module_.eval()
    return module.folded(*estimator._scaling.column_factors(module.decoder.bias))


def write_fitted(estimator: "BaseSAE") -> None:
    """Write the fitted attributes, in the units of the input.

    Codes are positively homogeneous in the input, so a scaling by s folds into the biases:
    ReLU(W(sx - b) + c) / s = ReLU(W(x - b/s) + c/s). With thresholds, they are homogeneous in
    both, so that these are divided by s as well. What else there is to fold, the module does.
    """
    net = estimator.net_
    module, scale = read_module(estimator), estimator._scaling.factor
    tracker = module.tracker
    estimator.components_ = to_array(module.decoder.dictionary())
    estimator.encoder_weights_ = to_array(module.encoder.weight)
    estimator.encoder_bias_ = to_array(module.encoder.bias) / scale
    estimator.encoder_offset_ = to_array(module.offset) / scale
    estimator.decoder_bias_ = to_array(module.decoder.bias) / scale
    threshold = getattr(module.activation, "threshold", None)
    if isinstance(threshold, Tensor):
        threshold = to_array(threshold) / scale
        estimator.threshold_ = threshold if threshold.ndim else float(threshold)
    estimator.n_components_ = len(estimator.components_)
    estimator.input_scale_ = scale
    estimator.feature_density_ = to_array(tracker.density())
    estimator.n_density_samples_ = tracker.n_density_samples
    estimator.n_dead_ = int(tracker.dead().sum())
    estimator.dead_window_ = tracker.effective_window
    estimator.n_iter_ = len(net.history)
    estimator.n_steps_ = net.n_steps_
