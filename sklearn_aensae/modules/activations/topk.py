"""TopK: the k largest pre-codes of each row are active, if they are positive."""

from torch import Tensor

from sklearn_aensae.kernels import Selected, select_top
from sklearn_aensae.modules.activations.base import Activation

__all__ = ["TopK"]


class TopK(Activation):
    """ReLU of the `k` largest pre-codes of each row; the others are 0.

    Parameters
    ----------
    k : int
        Active components per row.
    """

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def select(self, block: Tensor) -> Selected:
        """Choose the k largest entries of each row."""
        return select_top(block, self.k)

    def extra_repr(self) -> str:
        """Show k in the module's repr."""
        return f"k={self.k}"
