"""Squared error of a wider choice of codes."""

from typing import ClassVar

from torch import Tensor

from sklearn_aensae.kernels import ActiveCodes, mean_squared_error
from sklearn_aensae.modules import Autoencoder, SAEOutput
from sklearn_aensae.objective.base import Term

__all__ = ["Wider"]


class Wider(Term):
    """Squared error with more codes than are active, mean over the batch and over features.

    Activations such as `MultiTopK` choose them, in training only: what is held out is judged by
    the codes that users see, and this term is 0 there.

    References
    ----------
    :arxiv:`Gao et al. (2024). Scaling and evaluating sparse autoencoders <2406.04093>`,
    section on Multi-TopK.
    """

    is_penalty: ClassVar[bool] = False

    def forward(self, x: Tensor, output: SAEOutput, module: Autoencoder) -> Tensor:
        """Mean of (what is wanted - reconstruction by the wider codes)^2."""
        codes = output.codes
        if not self.training:
            return x.new_zeros(())
        assert isinstance(codes, ActiveCodes) and codes.wider is not None
        return mean_squared_error(module.reconstruct(x, codes.wider), output.wanted(x))
