"""The archetypal decoder: atoms that are mixtures of points of the data."""

import torch
from torch import Tensor, nn

from sklearn_aensae.kernels import Codes
from sklearn_aensae.modules.decoders.base import Decoder

__all__ = ["ArchetypalDecoder", "k_means"]

N_ITERATIONS = 10
"""Of k-means: candidates need to cover the data, not to be its best summary."""


class ArchetypalDecoder(Decoder):
    r"""Linear decoder whose atoms stay in, or near, the convex hull of points of the data.

    .. math:: D = e^m (S C + \Lambda), \qquad S \ge 0, \quad S 1 = 1, \quad
        \lVert \Lambda_i \rVert \le \delta

    The candidates C do not learn. They are points of the training data as seen from the decoder's
    first bias, which is the origin of the codes. After each optimiser step, rows of S are clipped
    at 0 and divided by their sums, and rows of :math:`\Lambda` that are too long are shortened.
    Atoms have no unit norm; m, one number for all, starts where their mean norm is 1.

    A batch is decoded as :math:`e^m ((h S) C + h \Lambda)`: a sparse product with S, and a dense
    one of batch, candidates and features. D itself is not made in a step.

    Parameters
    ----------
    n_features, n_components, n_candidates : int
        Sizes of the output, of the code and of C.
    delta : float
        :math:`\delta`, in the units of training; 0 for atoms in the hull.
    kind : {"kmeans", "rows"}
        Whether candidates are centroids or rows of the data.

    References
    ----------
    :arxiv:`Fel et al. (2025). Archetypal SAE <2502.12892>`.
    """

    candidates: Tensor

    def __init__(
        self, n_features: int, n_components: int, n_candidates: int, delta: float, kind: str
    ) -> None:
        super().__init__()
        self.delta = delta
        self.kind = kind
        self.shares = nn.Parameter(torch.empty(n_components, n_candidates))
        self.relaxation = nn.Parameter(torch.zeros(n_components, n_features))
        self.log_scale = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(n_features))
        self.register_buffer("candidates", torch.zeros(n_candidates, n_features))

    def dictionary(self) -> Tensor:
        """Atoms as rows, shape (n_components, n_features)."""
        return self.log_scale.exp() * (self.shares @ self.candidates + self.relaxation)

    def decode(self, codes: Codes) -> Tensor:
        """Reconstructions without the bias."""
        mixed = codes.decode(self.shares) @ self.candidates
        return self.log_scale.exp() * (mixed + codes.decode(self.relaxation))

    def initialize_(self, init: str, sample: Tensor, generator: torch.Generator) -> None:
        """Choose candidates; give each atom one of them, or a mixture once all are taken."""
        n_candidates = len(self.candidates)
        order = torch.randperm(len(sample), generator=generator)
        # Should there be fewer rows, some are taken twice, which leaves the hull as it is.
        points = sample[order.repeat(-(-n_candidates // len(sample)))[:n_candidates]]
        if self.kind == "kmeans":
            points = k_means(sample, points)
        self.candidates.copy_(points - self.bias)
        self._mix_candidates_(generator)
        self.relaxation.zero_()
        norm = torch.linalg.vector_norm(self.shares @ self.candidates, dim=1).mean()
        # Of data that are all alike, what is left of the candidates is rounding.
        norm = norm.maximum(1e-3 * torch.linalg.vector_norm(sample, dim=1).mean())
        self.log_scale.copy_(torch.where(norm > 0, -norm.log(), norm))

    def _mix_candidates_(self, generator: torch.Generator) -> None:
        """Fill the shares: no two atoms are alike, as they would never part."""
        n_components, n_candidates = self.shares.shape
        rows = torch.arange(n_components)
        own = rows % n_candidates
        steps = torch.randint(max(1, n_candidates - 1), (n_components,), generator=generator)
        other = (own + 1 + steps) % n_candidates
        mixture = torch.rand(n_components, generator=generator, dtype=self.shares.dtype) / 2
        mixture[:n_candidates] = 0
        self.shares.zero_()
        self.shares[rows, own] = 1 - mixture
        self.shares[rows, other] += mixture

    @torch.no_grad()
    def constrain_(self) -> None:
        """Put S and Lambda back where they must be, in place; called after each step."""
        # Where no entry is positive, the largest becomes the only one.
        largest = self.shares.amax(1, keepdim=True)
        self.shares.sub_((largest - 1e-6).clamp_(max=0)).relu_()
        self.shares.div_(self.shares.sum(1, keepdim=True))
        norms = torch.linalg.vector_norm(self.relaxation, dim=1, keepdim=True)
        self.relaxation.mul_((self.delta / norms.clamp_(min=1e-12)).clamp_(max=1))


def k_means(x: Tensor, centres: Tensor, n_iterations: int = N_ITERATIONS) -> Tensor:
    """Centroids of the rows of `x`, by Lloyd's iteration from given ones.

    Parameters
    ----------
    x : Tensor of shape (n_samples, n_features)
        Points.
    centres : Tensor of shape (n_centres, n_features)
        First centroids.
    n_iterations : int
        Number of iterations.

    Returns
    -------
    Tensor of shape (n_centres, n_features)
        A centroid to which no point is nearest stays where it is.
    """
    for _ in range(n_iterations):
        # Blocks: all distances would take as much memory as n_samples * n_centres numbers.
        nearest = torch.cat([torch.cdist(rows, centres).argmin(1) for rows in x.split(1024)])
        sums = torch.zeros_like(centres).index_add_(0, nearest, x)
        counts = torch.bincount(nearest, minlength=len(centres))[:, None]
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
    return centres
