"""Rules that look at a whole batch in training, and at calibrated thresholds for single rows."""

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from sklearn_aensae import _devices
from sklearn_aensae._warnings import warn
from sklearn_aensae.kernels import (
    Codes,
    Pattern,
    Selected,
    active_encode,
    select_above,
    select_top,
)
from sklearn_aensae.modules.activations.base import Activation

__all__ = ["Batchwise"]

CAUTION = 0.8
"""Share of the last batch's smallest active pre-codes above which the next one's are sought."""

CANDIDATES = 4
"""Candidates of a row at first where they cannot be counted, in multiples of the mean."""

AVERAGING = 0.01
"""Share of the present batch in the running thresholds."""


class Batchwise(Activation):
    """Contract of a rule that shares out a budget over the rows of a batch.

    In training `keep` chooses among candidates: the pre-codes above a guess, which follows the
    last batch and is given up when it was too high; so the choice is exact. On devices where
    data-dependent shapes would have to be waited for, candidates are the largest `n_candidates`
    of each row; where all of a row's were kept, the next log row warns and doubles them. In
    evaluation mode, what exceeds `threshold` is active: a running
    mean of the smallest active pre-codes of the batches, until `calibrate` sets it exactly.

    Parameters
    ----------
    n_thresholds : int or None
        Number of components for a threshold each; None for one of all.
    mean_active : float
        Components that are active in the mean row.

    Attributes
    ----------
    threshold : Tensor of shape () or (n_components,)
        In the units of pre-codes.
    n_candidates : int
        Candidates of a row, on devices where they cannot be counted.
    """

    rise: ClassVar[float] = 1.0
    """How far a guess goes up in one batch, towards what the batch says; down it goes at once."""

    elementwise = True
    is_calibrated = True
    threshold: Tensor
    guess: Tensor
    n_batches: Tensor
    n_overflowing: Tensor

    def __init__(self, n_thresholds: int | None, mean_active: float) -> None:
        super().__init__()
        self.mean_active = mean_active
        self.n_candidates = max(1, round(CANDIDATES * mean_active))
        shape = () if n_thresholds is None else (n_thresholds,)
        self.register_buffer("threshold", torch.zeros(shape))
        self.register_buffer("guess", torch.zeros(shape))
        self.register_buffer("n_batches", torch.zeros(shape))
        self.register_buffer("n_overflowing", torch.zeros((), dtype=torch.long), persistent=False)

    @abstractmethod
    def keep(self, values: Tensor, pattern: Pattern) -> tuple[Tensor, Tensor] | None:
        """Choose active entries among all candidates of a batch.

        Parameters
        ----------
        values : Tensor of shape (n_candidates,)
            Pre-codes.
        pattern : Pattern
            Their rows and components.

        Returns
        -------
        kept : integer Tensor of shape (n_active,)
            Positions, in ascending order.
        lowest : Tensor of the shape of `threshold`
            Smallest active pre-codes; 0 where nothing is active, NaN where nothing could be.
        None
            If there may be more candidates below `guess` that ought to be kept; it is then lowered.
        """

    def select(self, block: Tensor) -> Selected:
        """Choose candidates in training, else what exceeds the threshold."""
        if not self.training:
            return select_above(block, self.threshold)
        if _devices.reads_are_free(block.device):
            return select_above(block, self.guess)
        return select_top(block, min(block.shape[1], self.n_candidates))

    def activate(self, values: Tensor, columns: Tensor | slice, bias: Tensor) -> Tensor:
        """Pre-codes that were kept or, in evaluation mode, that exceed the threshold."""
        if self.training:
            return torch.relu(values)
        threshold = self.threshold if self.threshold.ndim == 0 else self.threshold[columns]
        return torch.where(values > threshold, torch.relu(values), 0)

    def encode(self, x: Tensor, weight: Tensor, bias: Tensor, offset: Tensor) -> Codes:
        """Codes of W(x - offset) + bias; arguments as in `kernels.active_encode`."""
        choose = self._choose if self.training else None
        values, pattern = active_encode(x, weight, bias, offset, self.select, choose=choose)
        return self.active_codes(values, pattern, bias)

    @torch.no_grad()
    def _choose(self, values: Tensor, pattern: Pattern) -> Tensor | None:
        """Keep what the rule keeps; thresholds and guesses follow the smallest that is kept."""
        found = self.keep(values, pattern)
        if found is None:
            return None
        kept, lowest = found[0], found[1].to(self.threshold)
        if not _devices.reads_are_free(values.device) and self.n_candidates < pattern.n_columns:
            n_kept = torch.zeros(pattern.n_rows, dtype=torch.long, device=kept.device)
            n_kept.index_add_(0, pattern.rows[kept], (values[kept] > 0).long())
            self.n_overflowing += (n_kept == self.n_candidates).sum()
        known = ~lowest.isnan()
        self.n_batches += known
        # Until there were enough batches for the running mean, the mean of all.
        mean = self.threshold.lerp(lowest, (1 / self.n_batches).clamp(min=AVERAGING))
        self.threshold.copy_(torch.where(known, mean, self.threshold))
        guess = CAUTION * lowest
        guess = torch.minimum(guess, self.guess.lerp(guess, self.rise))
        self.guess.copy_(torch.where(known, guess, self.guess))
        return kept

    def take_over(self, previous: Activation) -> None:
        """Keep the thresholds of an earlier fit, ranks if there are such, and what room it took."""
        assert isinstance(previous, Batchwise)
        self.load_state_dict(previous.state_dict())
        share = self.mean_active / previous.mean_active
        self.n_candidates = max(1, round(share * previous.n_candidates))

    def adapt(self) -> None:
        """Make room for more candidates if some may have been missing since the last time."""
        n_overflowing = int(self.n_overflowing)
        self.n_overflowing.zero_()
        if n_overflowing:
            warn(
                f"In {n_overflowing} rows since the last log row all {self.n_candidates} "
                "candidates were active, and more might have been. From now on there are twice as "
                "many.",
            )
            self.n_candidates *= 2

    def get_extra_state(self) -> dict[str, Any]:
        """State for the state dict."""
        return {"n_candidates": self.n_candidates}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore the state."""
        self.n_candidates = state["n_candidates"]

    def extra_repr(self) -> str:
        """Show the budget in the module's repr."""
        return f"mean_active={self.mean_active}"
