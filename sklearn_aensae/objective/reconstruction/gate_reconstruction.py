"""Error of what the gates alone would reconstruct, through a decoder that does not learn."""

from typing import ClassVar

from torch import Tensor
from torch.func import functional_call

from sklearn_aensae.kernels import mean_squared_error
from sklearn_aensae.modules import Autoencoder, SAEOutput
from sklearn_aensae.objective.base import Term

__all__ = ["GateReconstruction"]


class GateReconstruction(Term):
    """Squared error of the decoded gates, mean over the batch and over features.

    The decoder is a frozen copy: its atoms get no gradient from this term, nor does its bias as
    far as the decoder adds it (the encoder subtracts it as well, and is not frozen).

    References
    ----------
    :arxiv:`Rajamanoharan et al. (2024). Improving dictionary learning with gated sparse
    autoencoders <2404.16014>`, section 3.2.
    """

    is_penalty: ClassVar[bool] = False

    def forward(self, x: Tensor, output: SAEOutput, module: Autoencoder) -> Tensor:
        """Mean of (what is wanted - frozen decoder(gates))^2."""
        frozen = {name: p.detach() for name, p in module.decoder.named_parameters()}
        reconstruction = functional_call(module.decoder, frozen, (output.codes.gates,))
        return mean_squared_error(reconstruction, output.wanted(x))
