"""What a fit has learned, as attributes: the only place where they are written."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sklearn_aensae.modules import Autoencoder
from sklearn_aensae.modules.encoder import LinearEncoder
from sklearn_aensae.sources import Whitening

if TYPE_CHECKING:
    from sklearn_aensae.estimators._base import BaseSAE

__all__ = ["in_input_units", "read_module", "to_array", "write_fitted"]


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
    both, so that these are divided by s as well. What else there is to fold, the module does,
    but for norms that its choice of active codes does not allow to be folded.
    """
    net, scaling = estimator.net_, estimator._scaling
    module = read_module(estimator)
    tracker = module.tracker
    estimator.whitening_ = estimator.whitening_mean_ = estimator.code_scale_ = None
    if scaling.whitening is None:
        _write_weights(estimator, module)
    else:
        _write_unwhitened(estimator, module, scaling.whitening)
    threshold = getattr(module.activation, "threshold", None)
    if isinstance(threshold, Tensor):
        threshold = in_input_units(estimator, threshold)
        estimator.threshold_ = threshold if threshold.ndim else float(threshold)
    estimator.n_components_ = len(estimator.components_)
    estimator.input_scale_ = scaling.factor
    estimator.feature_density_ = to_array(tracker.density())
    estimator.n_density_samples_ = tracker.n_density_samples
    estimator.n_dead_ = int(tracker.dead().sum())
    estimator.dead_window_ = tracker.effective_window
    estimator.n_iter_ = len(net.history)
    estimator.n_steps_ = net.n_steps_


def in_input_units(estimator: "BaseSAE", pre_codes: Tensor) -> NDArray[np.floating]:
    """Return what is in the units of pre-codes in training, one number or one each, in X's."""
    given, norms = to_array(pre_codes) / estimator._scaling.factor, estimator.code_scale_
    return np.asarray(given if norms is None else given * norms)


def _write_weights(estimator: "BaseSAE", module: Autoencoder) -> None:
    """Weights and biases, where one factor is all there is between the units."""
    scale = estimator._scaling.factor
    estimator.components_ = to_array(module.decoder.dictionary())
    estimator.encoder_weights_ = to_array(module.encoder.weight)
    estimator.decoder_bias_ = to_array(module.decoder.bias) / scale
    estimator.encoder_offset_ = estimator.decoder_bias_.copy()
    estimator.encoder_bias_ = to_array(module.encoder.bias) / scale
    if module.encoder.centre is not None:
        estimator.encoder_offset_ = np.zeros_like(to_array(module.encoder.centre))
        estimator.encoder_bias_ = (_uncentred_bias(module.encoder) / scale).astype(
            estimator.encoder_bias_.dtype
        )
    norms = np.linalg.norm(estimator.components_.astype(np.float64), axis=1)
    off = np.abs(norms - 1) > 100 * np.finfo(estimator.components_.dtype).eps
    if module.decoder.has_unit_atoms and (off & (norms > 0)).any():
        _take_norms(estimator, np.where(norms > 0, norms, 1))


def _uncentred_bias(encoder: LinearEncoder) -> NDArray[np.float64]:
    """Return the bias of the same encoder without its centre."""
    weight, bias = (to_array(part).astype(np.float64) for part in (encoder.weight, encoder.bias))
    return bias if encoder.centre is None else bias - weight @ to_array(encoder.centre)


def _write_unwhitened(estimator: "BaseSAE", module: Autoencoder, whitening: Whitening) -> None:
    """Weights and biases of the same map between rows that are not whitened.

    With x' = M (x - mu), atoms d' become M^-1 d', and W'(x' - b') + c' = W'M (x - b) + c' with
    b = M^-1 b' + mu. Where the encoder does not subtract b, its bias takes over what mu is.
    """
    encoder, dtype = module.encoder, to_array(module.decoder.bias).dtype
    dictionary, encoder_weights, encoder_bias, decoder_bias = (
        to_array(part).astype(np.float64)
        for part in (module.decoder.dictionary(), encoder.weight, encoder.bias, module.decoder.bias)
    )
    atoms, weights = dictionary @ whitening.inverse, encoder_weights @ whitening.matrix
    decoder_bias = decoder_bias @ whitening.inverse + whitening.mean
    offset = decoder_bias
    if encoder.centre is not None:
        offset = np.zeros_like(offset)
        encoder_bias = _uncentred_bias(encoder) - weights @ whitening.mean
    estimator.components_, estimator.encoder_weights_ = atoms, weights
    estimator.encoder_bias_, estimator.encoder_offset_ = encoder_bias, offset.astype(dtype)
    estimator.decoder_bias_ = decoder_bias.astype(dtype)
    estimator.whitening_, estimator.whitening_mean_ = whitening.matrix, whitening.mean
    _take_norms(estimator, np.linalg.norm(atoms, axis=1))


def _take_norms(estimator: "BaseSAE", norms: NDArray[np.float64]) -> None:
    """Give atoms unit norm, and let codes grow by what they had, whatever chooses them."""
    dtype = estimator.decoder_bias_.dtype
    # They have units, those of X: none is too small but 0.
    atoms = estimator.components_ / np.where(norms > 0, norms, 1)[:, None]
    estimator.components_ = atoms.astype(dtype)
    estimator.encoder_weights_ = (estimator.encoder_weights_ * norms[:, None]).astype(dtype)
    estimator.encoder_bias_ = (estimator.encoder_bias_ * norms).astype(dtype)
    estimator.code_scale_ = norms.astype(dtype)
