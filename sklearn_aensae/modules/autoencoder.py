"""The autoencoder: an encoder, an activation and a decoder in a row."""

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sklearn_aensae.kernels import Codes, iter_pre_codes
from sklearn_aensae.modules.activations import Activation
from sklearn_aensae.modules.decoders import Decoder
from sklearn_aensae.modules.encoder import LinearEncoder
from sklearn_aensae.modules.firing_tracker import FiringTracker

__all__ = ["Autoencoder", "SAEOutput"]


class SAEOutput(NamedTuple):
    """What one forward pass gives to the terms of an objective."""

    reconstruction: Tensor
    """Shape (batch, n_features)."""
    codes: Codes
    """Shape (batch, n_components), non-negative."""


class Autoencoder(nn.Module):
    r"""Sparse autoencoder :math:`\hat x = D^\top \sigma(W (x - b) + c) + b`.

    An encoder that is not centred leaves out the first b.

    Parameters
    ----------
    encoder : LinearEncoder
        :math:`W` of shape (n_components, n_features) and :math:`c`.
    activation : Activation
        :math:`\sigma`.
    decoder : Decoder
        Atoms :math:`D` of shape (n_components, n_features) and the shared bias :math:`b`; the
        formula is that of a linear one.
    """

    def __init__(self, encoder: LinearEncoder, activation: Activation, decoder: Decoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.activation = activation
        self.decoder = decoder
        self.tracker = FiringTracker(encoder.weight.shape[0])

    @property
    def offset(self) -> Tensor:
        """What is subtracted before encoding: the decoder's bias, or zeros."""
        bias = self.decoder.bias
        return bias if self.encoder.is_centred else torch.zeros_like(bias)

    @torch.no_grad()
    def folded(self) -> "Autoencoder":
        """Return the same map with atoms of unit norm: itself, if its decoder keeps them so.

        Otherwise a copy without gradients, whose encoder holds the norms. Codes are then the
        old ones times the norm of their atom, as activations are positively homogeneous.
        """
        if not self.decoder.folds_norms:
            return self
        folded, norms = copy.deepcopy(self).requires_grad_(False), self.decoder.norms()
        folded.encoder.weight.mul_(norms.unsqueeze(1))
        folded.encoder.bias.mul_(norms)
        folded.decoder.atoms.div_(norms.clamp(min=1e-12).unsqueeze(1))
        return folded

    def encode(self, x: Tensor) -> Codes:
        """Codes of the rows of `x`, shape (batch, n_features)."""
        codes: Codes = self.encoder(x, self.offset, self.activation)
        return codes

    @torch.no_grad()
    def calibrate(self, x: Tensor) -> None:
        """Set the activation's thresholds by training rows, if it has such."""
        if not self.activation.is_calibrated:
            return
        centered, encoder = x - self.offset, self.encoder
        self.activation.calibrate(
            lambda: iter_pre_codes(centered, encoder.weight, encoder.bias), len(x)
        )

    def forward(self, x: Tensor) -> SAEOutput:
        """Encode and decode; in training mode also count which components fired."""
        codes = self.encode(x)
        if self.training:
            self.tracker.update(codes)
        return SAEOutput(self.decoder(codes), codes)
