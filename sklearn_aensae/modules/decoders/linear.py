"""The linear decoder: a weighted sum of unit-norm atoms."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from sklearn_aensae.modules.decoders.base import Decoder

__all__ = ["LinearDecoder"]


class LinearDecoder(Decoder):
    """Sum of atoms, each times its code, plus a bias.

    Parameters
    ----------
    n_features, n_components : int
        Sizes of the output and of the code.
    """

    has_unit_atoms: ClassVar[bool] = True

    def __init__(self, n_features: int, n_components: int) -> None:
        super().__init__()
        self.atoms = nn.Parameter(torch.empty(n_components, n_features))
        self.bias = nn.Parameter(torch.zeros(n_features))

    def dictionary(self) -> Tensor:
        """Atoms as rows, shape (n_components, n_features)."""
        return self.atoms

    def initialize_(self, init: str, sample: Tensor, generator: torch.Generator) -> None:
        """Draw atoms: random directions, or normalised from `torch.nn.Linear`'s range."""
        if init == "paper":
            bound = 1 / math.sqrt(len(self.atoms))
            self.atoms.uniform_(-bound, bound, generator=generator)
        else:
            self.atoms.normal_(generator=generator)
        self.normalize_()

    @torch.no_grad()
    def normalize_(self) -> None:
        """Scale every atom to unit norm, in place; one of norm 0 stays what it is."""
        self.atoms.div_(self.norms().clamp_(min=1e-12).unsqueeze(1))

    def constrain_(self) -> None:
        """Return to the constraint, in place; called after each optimiser step."""
        self.normalize_()
