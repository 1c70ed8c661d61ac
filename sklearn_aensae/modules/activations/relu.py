"""ReLU: every positive pre-code is active."""

import torch
from torch import Tensor

from sklearn_aensae.kernels import Codes, DenseCodes
from sklearn_aensae.modules.activations.base import Activation

__all__ = ["ReLU"]


class ReLU(Activation):
    """max(0, pre_codes)."""

    def forward(self, pre_codes: Tensor) -> Codes:
        """Codes of the batch."""
        return DenseCodes(torch.relu(pre_codes))
