"""ReLU: every positive pre-code is active."""

from torch import Tensor

from sklearn_aensae.kernels import Codes, DenseCodes, dense_relu_encode
from sklearn_aensae.modules.activations.elementwise import Elementwise

__all__ = ["ReLU"]


class ReLU(Elementwise):
    """max(0, pre_codes)."""

    def encode_dense(self, x: Tensor, weight: Tensor, bias: Tensor, offset: Tensor) -> Codes:
        """Codes of all components and their sums, in one pass over memory."""
        codes = DenseCodes(*dense_relu_encode(x, weight, bias, offset))
        self.count_dense(codes.values, codes.firing_counts.sum())
        return codes

    def rescale_(self, factors: Tensor) -> bool:
        """Do nothing: codes grow as pre-codes do."""
        return True
