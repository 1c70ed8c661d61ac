"""The linear encoder."""

import torch
from torch import Tensor, nn

from sklearn_aensae.kernels import Codes
from sklearn_aensae.modules.activations import Activation

__all__ = ["LinearEncoder"]


class LinearEncoder(nn.Module):
    """Linear map with a bias.

    Parameters
    ----------
    n_features, n_components : int
        Sizes of the input and of the code.
    is_centred : bool, default=True
        Whether the decoder's bias is subtracted from inputs first. Otherwise `centre` is, which is
        fixed: the bias could take it over, so that it changes no map, only the way to it. Without
        it every step would move all pre-codes along with the mean of the inputs.
    """

    centre: Tensor | None

    def __init__(self, n_features: int, n_components: int, *, is_centred: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_components, n_features))
        self.bias = nn.Parameter(torch.zeros(n_components))
        self.register_buffer("centre", None if is_centred else torch.zeros(n_features))

    @property
    def is_centred(self) -> bool:
        """Whether the decoder's bias is what is subtracted."""
        return self.centre is None

    def forward(self, x: Tensor, offset: Tensor, activation: Activation) -> Codes:
        """Codes of the rows of `x`, shape (batch, n_features)."""
        # The activation has a say in the product: it keeps what is active, block by block, so
        # that pre-codes are never all in memory.
        return activation.encode(x, self.weight, self.bias, offset)
