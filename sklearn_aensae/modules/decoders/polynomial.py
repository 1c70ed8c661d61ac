"""The polynomial decoder: a linear one, plus what components add when they are active together."""

import math
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from sklearn_aensae.kernels import Codes
from sklearn_aensae.modules.decoders.base import Decoder

__all__ = ["PolynomialDecoder"]

SCALES = (-0.5, 0.5)
"""First factors of the square and of the cubic term, as in the authors' code."""


class PolynomialDecoder(Decoder):
    r"""Polynomial of low rank in the codes.

    .. math::
        a = h U, \qquad
        \hat x = b + a C_1 + \lambda_2\, a_{1:R_2}^2 C_2 + \lambda_3\, a_{1:R_3}^3 C_3,
        \qquad U^\top U = I

    with powers by element, U of shape (n_components, :math:`R_1`) and :math:`C_p` of shape
    (:math:`R_p`, n_features). Only U meets the codes, on their active set; what follows is dense,
    with products of the batch, ranks and features. After each optimiser step, U goes back to
    orthonormal columns by a reduced QR decomposition, O(n_components :math:`R_1^2`), with the
    signs in which columns do not flip.

    Parameters
    ----------
    n_features, n_components : int
        Sizes of the output and of the code.
    ranks : sequence of int
        :math:`R_1 \ge R_2 \ge R_3`, one for each order, so one to three of them; the first is at
        most `n_features` and `n_components`.

    References
    ----------
    :arxiv:`Koromilas et al. (2026). PolySAE <2602.01322>`.
    """

    def __init__(self, n_features: int, n_components: int, ranks: Sequence[int]) -> None:
        super().__init__()
        self.is_linear = len(ranks) == 1
        self.basis = nn.Parameter(torch.empty(n_components, ranks[0]))
        self.maps = nn.ParameterList(torch.zeros(rank, n_features) for rank in ranks)
        self.scales = nn.ParameterList(torch.tensor(s) for s in SCALES[: len(ranks) - 1])
        self.bias = nn.Parameter(torch.zeros(n_features))

    def dictionary(self) -> Tensor:
        """Linear term U C_1, shape (n_components, n_features)."""
        linear: Tensor = self.basis @ self.maps[0]
        return linear

    def decode(self, codes: Codes) -> Tensor:
        """Reconstructions without the bias."""
        projections = codes.decode(self.basis)
        result: Tensor = projections @ self.maps[0]
        for power, (scale, outputs) in enumerate(zip(self.scales, self.maps[1:], strict=True), 2):
            powers = projections[:, : len(outputs)] ** power
            result = result + scale * (powers @ outputs)
        return result

    def interaction(self, components: Sequence[int]) -> Tensor:
        """Coefficient of a product of codes in the polynomial, shape (n_features,).

        Parameters
        ----------
        components : sequence of int, of length 1 to the order
            Factors of the product; a component that appears twice is squared.
        """
        outputs = self.maps[len(components) - 1]
        scale = self.scales[len(components) - 2] if len(components) > 1 else 1
        # How often the product appears when the power is multiplied out.
        repeats = math.prod(math.factorial(n) for n in Counter(components).values())
        factors = self.basis[list(components), : len(outputs)].prod(0)
        direction: Tensor = math.factorial(len(components)) / repeats * scale * (factors @ outputs)
        return direction

    def pair_norms(self, component: int) -> Tensor:
        """Norms of a component's interaction with each other one, shape (n_components,)."""
        scale, outputs = self.scales[0], self.maps[1]
        # ||v C|| = ||v R.T|| with C.T = Q R: no larger than the rank.
        root = torch.linalg.qr(outputs.T).R
        basis = self.basis[:, : len(outputs)]
        products = basis * basis[component]
        norms: Tensor = 2 * scale.abs() * torch.linalg.vector_norm(products @ root.T, dim=1)
        return norms

    def initialize_(self, init: str, sample: Tensor, generator: torch.Generator) -> None:
        """Draw a linear decoder with random unit atoms, so that interactions are learned from 0.

        "paper" draws a random orthonormal U and all maps from `torch.nn.Linear`'s range.
        """
        if init == "paper":
            self.basis.normal_(generator=generator)
            self.constrain_()
            for outputs in self.maps:
                bound = len(outputs) ** -0.5
                outputs.uniform_(-bound, bound, generator=generator)
            return
        rank, n_features = self.maps[0].shape
        atoms = sample.new_empty(len(self.basis), n_features).normal_(generator=generator)
        directions = torch.eye(n_features, dtype=sample.dtype)
        if rank < n_features:
            # What a low rank can afford: the directions in which the data vary most.
            centered = sample - self.bias
            directions = torch.linalg.eigh(centered.T @ centered).eigenvectors[:, -rank:].T
        basis, factor = _orthonormal(functional.normalize(atoms @ directions.T))
        self.basis.copy_(basis)
        self.maps[0].copy_(factor @ directions)
        for outputs in self.maps[1:]:
            outputs.zero_()

    @torch.no_grad()
    def constrain_(self) -> None:
        """Give U orthonormal columns again, in place; called after each optimiser step."""
        self.basis.copy_(_orthonormal(self.basis)[0])


def _orthonormal(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """QR decomposition whose R has a positive diagonal, so that Q follows the matrix."""
    q, r = torch.linalg.qr(matrix)
    signs = 1 - 2 * (r.diagonal() < 0).to(q)
    return q * signs, r * signs[:, None]
