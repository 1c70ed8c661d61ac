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
    """Shape (batch, n_features) or, of a transcoder, (batch, n_targets)."""
    codes: Codes
    """Shape (batch, n_components), non-negative."""
    target: Tensor | None = None
    """What was to be reconstructed, if that is not the input: shape (batch, n_targets)."""

    def wanted(self, x: Tensor) -> Tensor:
        """Return what was to be reconstructed of the input `x`."""
        return x if self.target is None else self.target


class Autoencoder(nn.Module):
    r"""Sparse autoencoder :math:`\hat x = D^\top \sigma(W (x - b) + c) + b`.

    An encoder that is not centred has a fixed vector in the place of the first b. A transcoder's
    atoms and b belong to another space than x.

    Parameters
    ----------
    encoder : LinearEncoder
        :math:`W` of shape (n_components, n_features) and :math:`c`.
    activation : Activation
        :math:`\sigma`.
    decoder : Decoder
        Atoms :math:`D` of shape (n_components, n_features) and the shared bias :math:`b`; the
        formula is that of a linear one.
    skip : nn.Linear or None, default=None
        What is added to the reconstruction without passing through the codes.
    """

    def __init__(
        self,
        encoder: LinearEncoder,
        activation: Activation,
        decoder: Decoder,
        skip: nn.Linear | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.activation = activation
        self.decoder = decoder
        self.skip = skip
        self.tracker = FiringTracker(encoder.weight.shape[0])

    @property
    def offset(self) -> Tensor:
        """What is subtracted before encoding: the decoder's bias, or a centre that is fixed."""
        return self.decoder.bias if self.encoder.centre is None else self.encoder.centre

    def encode(self, x: Tensor) -> Codes:
        """Codes of the rows of `x`, shape (batch, n_features)."""
        codes: Codes = self.encoder(x, self.offset, self.activation)
        return codes

    def reconstruct(self, x: Tensor, codes: Codes) -> Tensor:
        """Return what rows and their codes give, shape (batch, n_features)."""
        reconstruction: Tensor = self.decoder(codes)
        return reconstruction if self.skip is None else reconstruction + self.skip(x)

    @torch.no_grad()
    def folded(self, inputs: Tensor | None = None, outputs: Tensor | None = None) -> "Autoencoder":
        """Return the same map in other units, with atoms of unit norm.

        That is itself, if nothing is to be done; otherwise a copy without gradients, whose encoder
        holds the norms. Codes are then the old ones times the norm of their atom, as activations
        are positively homogeneous.

        Parameters
        ----------
        inputs : Tensor of shape (n_features,) or None
            Factors of the input that the new encoder takes over.
        outputs : Tensor of shape (n_outputs,) or () or None
            What the new decoder divides its output by.
        """
        if inputs is None and outputs is None and not self.decoder.folds_norms:
            return self
        folded = copy.deepcopy(self).requires_grad_(False)
        encoder, decoder, skip = folded.encoder, folded.decoder, folded.skip
        atoms = decoder.get_parameter("atoms")
        if inputs is not None:
            encoder.weight.mul_(inputs)
            if encoder.centre is not None:
                encoder.centre.div_(inputs)
        if outputs is not None:
            atoms.div_(outputs)
            decoder.bias.div_(outputs)
        norms = decoder.norms()
        atoms.div_(norms.where(norms > 0, 1).unsqueeze(1))
        encoder.weight.mul_(norms.unsqueeze(1))
        encoder.bias.mul_(norms)
        if skip is not None:
            skip.weight.mul_(1 if inputs is None else inputs)
            skip.weight.div_(1 if outputs is None else outputs.unsqueeze(-1))
        return folded

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
        return SAEOutput(self.reconstruct(x, codes), codes)
