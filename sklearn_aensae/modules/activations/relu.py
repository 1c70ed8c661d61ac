"""ReLU: every positive pre-code is active."""

from torch import Tensor

from sklearn_aensae import _devices
from sklearn_aensae.kernels import (
    Codes,
    DenseCodes,
    Selected,
    dense_relu_encode,
    select_positive,
)
from sklearn_aensae.modules.activations.base import Activation

__all__ = ["BREAK_EVEN", "ReLU"]

BREAK_EVEN = 0.15
"""Share of active components above which the dense step is the faster one (measured)."""


class ReLU(Activation):
    """max(0, pre_codes), computed densely for as long as many components are active.

    On the CPU a batch goes the way for which the density of the last one speaks. Both ways
    give the same codes and gradients. On other devices, where the number of active codes would
    have to be waited for, all is dense.

    Attributes
    ----------
    density : float
        Share of active components in the last training batch.
    """

    elementwise = True

    def __init__(self) -> None:
        super().__init__()
        self.density = 1.0

    def select(self, block: Tensor) -> Selected:
        """Choose the positive entries."""
        return select_positive(block)

    def encode(self, x: Tensor, weight: Tensor, bias: Tensor, offset: Tensor) -> Codes:
        """Codes of W(x - offset) + bias, dense or active."""
        on_host = _devices.reads_are_free(x.device)
        if not (on_host and self.density < BREAK_EVEN):
            codes: Codes = DenseCodes(*dense_relu_encode(x, weight, bias, offset))
        else:
            codes = super().encode(x, weight, bias, offset)
        if self.training and on_host:
            self.density = float(codes.firing_counts.sum()) / (codes.n_rows * codes.n_components)
        return codes

    def get_extra_state(self) -> dict[str, float]:
        """State for the state dict."""
        return {"density": self.density}

    def set_extra_state(self, state: dict[str, float]) -> None:
        """Restore the state."""
        self.density = state["density"]
