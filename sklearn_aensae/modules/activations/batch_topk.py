"""BatchTopK: the k * batch largest pre-codes of a batch are active, if they are positive."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from sklearn_aensae import _devices
from sklearn_aensae.kernels import Pattern
from sklearn_aensae.modules.activations.batchwise import Batchwise

__all__ = ["BatchTopK"]

CLOSE = 0.5
"""Share of the running threshold above which `calibrate` first seeks the exact one."""


class BatchTopK(Batchwise):
    """ReLU of the `k * n_rows` largest pre-codes of a batch; the others are 0.

    Parameters
    ----------
    k : int
        Active components of the mean row.
    """

    def __init__(self, k: int) -> None:
        super().__init__(None, k)
        self.k = k

    def keep(self, values: Tensor, pattern: Pattern) -> tuple[Tensor, Tensor] | None:
        """Keep the largest of the whole batch."""
        budget = self.k * pattern.n_rows
        on_host = _devices.reads_are_free(values.device)
        if on_host and len(values) < budget and self.guess > 0:
            self.guess.zero_()
            return None
        if not len(values):
            return torch.empty(0, dtype=torch.long), values.new_zeros(())
        top = values.topk(min(budget, len(values)), sorted=False)
        lowest = top.values.min().clamp(min=0)
        return top.indices.sort().values, lowest

    def calibrate(self, blocks: Callable[[], Iterator[Tensor]], n_rows: int) -> None:
        """Set the one threshold that leaves `k` active components in the mean row."""
        budget = self.k * n_rows
        for bound in (CLOSE * self.threshold, torch.zeros_like(self.threshold)):
            # One more than there is room for: the threshold lies between the last two.
            largest = self.threshold.new_empty(0)
            n_positive = 0
            for block in blocks():
                above = block[block > bound]
                n_positive += len(above)
                largest = torch.cat([largest, above])
                if len(largest) > 4 * (budget + 1):
                    largest = largest.topk(budget + 1, sorted=False).values
            if n_positive > budget:
                last_two = largest.topk(budget + 1).values[-2:]
                self.threshold.copy_(last_two.mean())
                return
        # All that is positive does not use up the budget.
        self.threshold.zero_()
