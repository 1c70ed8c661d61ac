"""The linear decoder: a weighted sum of unit-norm atoms."""

from collections.abc import Sequence
from typing import ClassVar

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

    keeps_unit_norms: ClassVar[bool] = True
    """Whether the atoms have unit norm after each step."""

    def __init__(self, n_features: int, n_components: int) -> None:
        super().__init__()
        self.atoms = nn.Parameter(torch.empty(n_components, n_features))
        self.bias = nn.Parameter(torch.zeros(n_features))

    def forward(self, codes: Codes) -> Tensor:
        """Reconstructions of shape (batch, n_features)."""
        return codes.decode(self.atoms).add_(self.bias)

    def norms(self) -> Tensor:
        """Norm of each atom, differentiable: shape (n_components,)."""
        norms: Tensor = torch.linalg.vector_norm(self.atoms, dim=1)
        return norms

    def view_norms(self, view_sizes: Sequence[int]) -> Tensor:
        """Norm of each atom's part in each view, differentiable: (n_components, n_views)."""
        views = self.atoms.split(list(view_sizes), dim=1)
        return torch.stack([torch.linalg.vector_norm(view, dim=1) for view in views], dim=1)

    @torch.no_grad()
    def normalize_(self) -> None:
        """Scale every atom to unit norm, in place; one of norm 0 stays what it is."""
        self.atoms.div_(self.norms().clamp_(min=1e-12).unsqueeze(1))

    def constrain_(self) -> None:
        """Return to the constraint, in place; called after each optimiser step."""
        self.normalize_()
