"""The contract of an activation."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn

from sklearn_aensae.kernels import ActiveCodes, Codes, Pattern, Selected, active_encode

__all__ = ["Activation"]


class Activation(nn.Module, ABC):
    """Turns pre-codes into non-negative codes, most of which are 0.

    A variant says which pre-codes are active (`select`) and what becomes of those
    (`activate`); the rest of the sparse step follows. In evaluation mode it must act row by
    row: the code of a row may not depend on the other rows of the batch.
    """

    elementwise: ClassVar[bool] = False
    """Whether, in evaluation mode, a code depends on its own pre-code only."""

    is_calibrated: ClassVar[bool] = False
    """Whether the rule for single rows has thresholds that `calibrate` sets after training."""

    @abstractmethod
    def select(self, block: Tensor) -> Selected:
        """Choose the active entries of a contiguous block of rows, (n_rows, n_components).

        Called without gradients, and with the same memory for each block: copy what is kept.
        """

    def activate(self, values: Tensor, columns: Tensor | slice, bias: Tensor) -> Tensor:
        """Codes of pre-codes, differentiable.

        Parameters
        ----------
        values : Tensor of shape (n_active,)
            Selected pre-codes. An elementwise activation is also asked for all codes of some
            rows: then of shape (n_rows, n_columns).
        columns : integer Tensor of shape (n_active,) or slice or integer Tensor (n_columns,)
            Their components.
        bias : Tensor of shape (n_components,)
            Of the encoder, contained in the pre-codes.
        """
        return torch.relu(values)

    def gate(self, values: Tensor, columns: Tensor | slice, bias: Tensor) -> Tensor | None:
        """Return what decides on activity, differentiable, if penalties need it: as `activate`."""
        return None

    def initialize_(self, generator: torch.Generator) -> None:
        """Draw what is random about the activation, in place, on the CPU; before any weight."""

    def take_over(self, previous: "Activation") -> None:
        """Keep what belongs to the weights of an earlier fit, if training starts from those."""

    def reset_(self, components: Tensor) -> None:
        """Let components, given by their indices, start again, in place."""

    def rescale_(self, factors: Tensor) -> bool:
        """Adapt to pre-codes that grow by one factor per component, so that codes do, too.

        False, with nothing changed, if others would then be active.
        """
        return False

    def follow_bias_(self, shift: Tensor) -> None:
        """Adapt to a bias of the encoder that grows by `shift` where pre-codes stay."""

    def adapt(self) -> None:
        """Choose how to compute what comes; called when the device is read anyway."""

    def calibrate(self, blocks: Callable[[], Iterator[Tensor]], n_rows: int) -> None:
        """Set thresholds so that single rows are coded as batches were in training.

        Parameters
        ----------
        blocks : callable
            Each call gives one pass over blocks of pre-codes of the same training rows, each of
            shape (n_block_rows, n_components) and overwritten by the next.
        n_rows : int
            Number of these rows.
        """

    def encode(self, x: Tensor, weight: Tensor, bias: Tensor, offset: Tensor) -> Codes:
        """Codes of W(x - offset) + bias; arguments as in `kernels.active_encode`."""
        values, pattern = active_encode(x, weight, bias, offset, self.select)
        return self.active_codes(values, pattern, bias)

    def active_codes(self, values: Tensor, pattern: Pattern, bias: Tensor) -> ActiveCodes:
        """Codes of selected pre-codes."""
        columns = pattern.columns
        codes = self.activate(values, columns, bias)
        return ActiveCodes(codes, pattern, self.gate(values, columns, bias))
