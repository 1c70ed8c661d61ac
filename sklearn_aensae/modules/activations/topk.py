"""TopK: the k largest pre-codes of each row are active, if they are positive."""

import torch
from torch import Tensor

from sklearn_aensae.kernels import ActiveCodes, Codes
from sklearn_aensae.modules.activations.base import Activation

__all__ = ["TopK"]


class TopK(Activation):
    """ReLU of the `k` largest pre-codes of each row; the others are 0.

    Parameters
    ----------
    k : int
        Slots per row.
    """

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, pre_codes: Tensor) -> Codes:
        """Codes of the batch, as an active set of k slots per row."""
        values, indices = pre_codes.topk(self.k, dim=1, sorted=False)
        return ActiveCodes(torch.relu(values), indices, pre_codes.shape[1])

    def extra_repr(self) -> str:
        """Show k in the module's repr."""
        return f"k={self.k}"
