"""Gated: pre-codes decide who is active; magnitudes of their own say how strongly."""

import torch
from torch import Tensor, nn

from sklearn_aensae.modules.activations.elementwise import Elementwise, entries_of

__all__ = ["Gated"]


class Gated(Elementwise):
    r"""Magnitudes where pre-codes are positive: :math:`f = H(p)\,\mathrm{ReLU}(e^r (p - c) + m)`.

    c is the encoder's bias, so that :math:`p - c = W (x - b)`, and magnitudes have a scale and a
    bias of their own. The step H has no gradient: pre-codes learn who is to be active from
    terms that read the gates, :math:`\mathrm{ReLU}(p)`.

    Parameters
    ----------
    n_components : int
        Number of components.

    References
    ----------
    :arxiv:`Rajamanoharan et al. (2024). Improving dictionary learning with gated sparse
    autoencoders <2404.16014>`, section 3.
    """

    def __init__(self, n_components: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(n_components))
        self.magnitude_bias = nn.Parameter(torch.zeros(n_components))

    def activate(self, values: Tensor, columns: Tensor | slice, bias: Tensor) -> Tensor:
        """Magnitudes of the components whose pre-code is positive."""
        scale = entries_of(self.log_scale.exp(), columns)
        linear = values - entries_of(bias, columns)
        magnitudes = torch.addcmul(entries_of(self.magnitude_bias, columns), scale, linear)
        return torch.where(values > 0, torch.relu(magnitudes), 0)

    def gate(self, values: Tensor, columns: Tensor | slice, bias: Tensor) -> Tensor:
        """Positive pre-codes."""
        return torch.relu(values)

    @torch.no_grad()
    def reset_(self, components: Tensor) -> None:
        """Let the magnitudes of components be their pre-codes again."""
        self.log_scale.index_fill_(0, components, 0)
        self.magnitude_bias.index_fill_(0, components, 0)

    @torch.no_grad()
    def rescale_(self, factors: Tensor) -> bool:
        """Let magnitudes grow alike."""
        self.magnitude_bias.mul_(factors)
        return True

    @torch.no_grad()
    def follow_bias_(self, shift: Tensor) -> None:
        """Let magnitudes, which do not contain the encoder's bias, stay."""
        self.magnitude_bias.add_(self.log_scale.exp() * shift)

    @torch.no_grad()
    def magnitude_threshold(self, bias: Tensor) -> Tensor:
        """Return what a magnitude must exceed to be active: the thresholds of a JumpReLU."""
        return self.magnitude_bias - self.log_scale.exp() * bias
