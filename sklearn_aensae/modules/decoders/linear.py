"""The linear decoder: a weighted sum of unit-norm atoms."""

import torch
from torch import Tensor, nn

from sklearn_aensae.kernels import Codes

__all__ = ["LinearDecoder"]


class LinearDecoder(nn.Module):
    """Sum of atoms, each times its code, plus a bias.

    Parameters
    ----------
    n_features, n_components : int
        Sizes of the output and of the code.
    """

    def __init__(self, n_features: int, n_components: int) -> None:
        super().__init__()
        self.atoms = nn.Parameter(torch.empty(n_components, n_features))
        self.bias = nn.Parameter(torch.zeros(n_features))

    def forward(self, codes: Codes) -> Tensor:
        """Reconstructions of shape (batch, n_features)."""
        return codes.decode(self.atoms).add_(self.bias)

    @torch.no_grad()
    def constrain_(self) -> None:
        """Scale every atom to unit norm, in place; called after each optimiser step."""
        norms = torch.linalg.vector_norm(self.atoms, dim=1, keepdim=True)
        self.atoms.div_(norms.clamp_(min=1e-12))
