"""The linear encoder."""

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["LinearEncoder"]


class LinearEncoder(nn.Module):
    """Linear map with a bias, on inputs from which the decoder's bias is subtracted.

    Parameters
    ----------
    n_features, n_components : int
        Sizes of the input and of the code.
    """

    def __init__(self, n_features: int, n_components: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_components, n_features))
        self.bias = nn.Parameter(torch.zeros(n_components))

    def forward(self, x: Tensor, offset: Tensor) -> Tensor:
        """Pre-codes of shape (batch, n_components)."""
        # W(x - b) + c = Wx + (c - Wb): the second form spares one (batch, n_features) copy
        # forward and, in the gradient of b, a product as large as the encoder's own.
        return functional.linear(x, self.weight, self.bias - self.weight @ offset)
