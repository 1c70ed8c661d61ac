"""The contract of a decoder."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from sklearn_aensae.kernels import Codes, group_reconstructions

__all__ = ["Decoder"]


class Decoder(nn.Module, ABC):
    """Turns codes into reconstructions: a function of the codes, plus a bias.

    A variant says what its `bias` and its `dictionary` are, how weights begin (`initialize_`) and
    what holds for them after each optimiser step (`constrain_`); one that is not linear also says
    what it makes of codes (`decode`).
    """

    is_linear: bool = True
    """Whether codes are decoded as their product with the dictionary."""

    has_unit_atoms: ClassVar[bool] = False
    """Whether atoms have unit norm. If not, penalties on codes say nothing about their effect."""

    folds_norms: ClassVar[bool] = False
    """Whether users see atoms of unit norm, and codes times the norms that training leaves free."""

    bias: nn.Parameter
    """Shape (n_features,): the reconstruction without codes. The encoder subtracts it, too."""

    def forward(self, codes: Codes) -> Tensor:
        """Reconstructions of shape (batch, n_features)."""
        return self.decode(codes).add_(self.bias)

    @abstractmethod
    def dictionary(self) -> Tensor:
        """Atoms as rows, (n_components, n_features): what a unit of code adds, to first order."""

    def decode(self, codes: Codes) -> Tensor:
        """Reconstructions without the bias, a new tensor of shape (batch, n_features)."""
        return codes.decode(self.dictionary())

    def norms(self) -> Tensor:
        """Norm of each atom, differentiable: shape (n_components,)."""
        norms: Tensor = torch.linalg.vector_norm(self.dictionary(), dim=1)
        return norms

    def view_norms(self, view_sizes: Sequence[int]) -> Tensor:
        """Norm of each atom's part in each view, differentiable: (n_components, n_views)."""
        views = self.dictionary().split(list(view_sizes), dim=1)
        return torch.stack([torch.linalg.vector_norm(view, dim=1) for view in views], dim=1)

    def groups(self, codes: Codes, bounds: Sequence[int]) -> Tensor:
        """Return what each group of components adds to the reconstruction.

        Parameters
        ----------
        codes : Codes of shape (batch, n_components)
            Codes.
        bounds : sequence of int, of length n_levels
            Where each group ends, ascending; the last is the number of components.

        Returns
        -------
        Tensor of shape (n_levels, batch, n_features)
        """
        if not self.is_linear:
            raise TypeError(
                f"{type(self).__name__} is not linear in the codes, so that groups of components "
                "do not add up; nested errors need a linear decoder."
            )
        return group_reconstructions(codes, self.dictionary(), bounds)

    @abstractmethod
    def initialize_(self, init: str, sample: Tensor, generator: torch.Generator) -> None:
        """Fill all weights but the bias, which is there already; called without gradients.

        Parameters
        ----------
        init : {"data", "data_median", "paper"}
            As in `modules.initialization`.
        sample : Tensor of shape (n_rows, n_features)
            Scaled training rows.
        generator : torch.Generator
            Source of all randomness, on the CPU.
        """

    def constrain_(self) -> None:
        """Put the weights back where they must be, in place; called after each optimiser step."""
