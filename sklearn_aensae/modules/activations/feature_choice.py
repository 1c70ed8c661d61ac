"""Feature Choice: each component takes its largest pre-codes of a batch, as many as its quota."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from sklearn_aensae import _devices
from sklearn_aensae.kernels import ByColumn, Codes, Pattern, sort_by_column
from sklearn_aensae.modules.activations.batchwise import Batchwise

__all__ = ["FeatureChoice"]

RANKING_INTERVAL = 50
"""Batches between two rankings of the components."""

NEWS = 0.5
"""Share of the present batch in the demand that ranks follow."""

ONE = 2**32
"""One code in the integers in which quotas are added up, so that their sum is exact."""

GOLDEN = 2_654_435_769
"""Golden section of that: multiples of it, less whole ones, are spread as evenly as can be."""


class FeatureChoice(Batchwise):
    r"""ReLU of the `m_j` largest pre-codes of component j in a batch; the others are 0.

    A component of rank r has the quota :math:`m_j = n_{rows} d_r`, rounded up in some batches and
    down in others so that quotas always sum to `k * n_rows` and are right in the mean: also those
    below one per batch, and in a last, smaller batch. Ranks follow the demand: how often a
    component would fire if all competed for the whole budget, as in BatchTopK. Firing itself says
    little, as the quotas dictate it. Demand is a moving average over every 50th batch.

    Parameters
    ----------
    k : int
        Active components of the mean row.
    densities : Tensor of shape (n_components,)
        :math:`d_r`, the share of rows on which the component of rank r fires: at most 1, in
        falling order, with sum `k`.

    Attributes
    ----------
    rank : integer Tensor of shape (n_components,)
        Of each component, from 0.
    demand : Tensor of shape (n_components,)
        Share of rows.
    n_calls : int
        Training batches so far.
    """

    rise = 0.1
    ends: Tensor
    rank: Tensor
    demand: Tensor

    def __init__(self, k: int, densities: Tensor) -> None:
        n_components = len(densities)
        super().__init__(n_components, k)
        self.k = k
        self.n_calls = 0
        ends = (densities.double().cumsum(0) * ONE).round().long()
        ends[-1] = k * ONE
        self.register_buffer("ends", ends, persistent=False)
        self.register_buffer("rank", torch.arange(n_components))
        self.register_buffer("demand", torch.zeros(n_components))

    def quotas(self, n_rows: int) -> Tensor:
        """Most active entries of each component in the next batch, with sum `k * n_rows`."""
        return self._whole(n_rows, self.n_calls * GOLDEN % ONE)

    def _whole(self, n_rows: int, start: int) -> Tensor:
        """Quotas as whole numbers: as many as there are between one end and the next."""
        by_rank = ((n_rows * self.ends + start) // ONE).diff(prepend=self.ends.new_zeros(1))
        return by_rank[self.rank]

    def encode(self, x: Tensor, weight: Tensor, bias: Tensor, offset: Tensor) -> Codes:
        """Codes of W(x - offset) + bias; arguments as in `kernels.active_encode`."""
        if self.training and self.n_calls % RANKING_INTERVAL == 0:
            # For the demand, all that is positive is a candidate.
            self.guess.zero_()
        return super().encode(x, weight, bias, offset)

    def keep(self, values: Tensor, pattern: Pattern) -> tuple[Tensor, Tensor] | None:
        """Keep the largest of each component."""
        if self.n_calls % RANKING_INTERVAL == 0 and len(values):
            self._rank(values, pattern)
        quotas = self.quotas(pattern.n_rows)
        found = sort_by_column(values, pattern.columns, pattern.n_columns)
        short = (found.counts < quotas) & (self.guess > 0)
        on_host = _devices.reads_are_free(values.device)
        if on_host and bool(short.any()):
            self.guess.masked_fill_(short, 0)
            return None
        self.n_calls += 1
        wanted = (found.places < quotas[found.columns]) & (found.values > 0)
        # What is not positive, or not there, leaves the quota unused: all the rest is active.
        fills = (found.counts >= quotas) & (quotas > 0)
        last = (found.starts + quotas - 1).clamp(0, max(len(values) - 1, 0))
        lowest = torch.zeros_like(self.threshold)
        if len(values):
            lowest = torch.where(fills, found.values[last].clamp(min=0), lowest)
        lowest = lowest.masked_fill(quotas == 0, torch.nan)
        if on_host:
            return found.order[wanted].sort().values, lowest
        return self._first(wanted, found.order, values, pattern.n_rows), lowest

    def _first(self, wanted: Tensor, order: Tensor, values: Tensor, n_rows: int) -> Tensor:
        """Positions of what is wanted, filled up to a number of them that needs no read."""
        mask = torch.zeros_like(wanted).index_put_((order,), wanted)
        values.masked_fill_(~mask, 0)
        n_entries = min(self.k * n_rows, len(values))
        first = mask.to(torch.int8).argsort(descending=True, stable=True)[:n_entries]
        return first.sort().values

    def _rank(self, values: Tensor, pattern: Pattern) -> None:
        """Take a batch into the demand, and rank the components by it."""
        budget = min(self.k * pattern.n_rows, len(values))
        lowest = values.topk(budget, sorted=False).values.min().clamp(min=0)
        counts = pattern.column_sums(((values >= lowest) & (values > 0)).to(self.demand))
        share = NEWS if self.n_calls else 1.0
        self.demand.lerp_(counts / pattern.n_rows, share)
        self.rank.copy_(self.demand.argsort(descending=True, stable=True).argsort())

    def calibrate(self, blocks: Callable[[], Iterator[Tensor]], n_rows: int) -> None:
        """Set the thresholds that let each component fire as often as its quota says."""
        quotas = self._whole(n_rows, ONE // 2)
        found = self._largest(blocks, quotas)
        threshold = torch.zeros_like(self.threshold)
        # The threshold lies between the last that is active and the next; where there is no next,
        # all that is positive does not use up the quota.
        more = found.counts > quotas
        following = (found.starts + quotas)[more]
        last = torch.where(quotas[more] > 0, following - 1, following)
        threshold[more] = (found.values[last] + found.values[following]) / 2
        self.threshold.copy_(threshold)

    def _largest(self, blocks: Callable[[], Iterator[Tensor]], quotas: Tensor) -> ByColumn:
        """Return the largest positive pre-codes of each component, one more than its quota.

        What cannot be among them is dropped on the way: memory follows the quotas, not the rows.
        """
        bound = torch.zeros_like(self.threshold)
        room = int(quotas.sum()) + len(quotas)
        values, columns = [bound[:0]], [self.rank[:0]]
        n_waiting = 0
        for block in blocks():
            above = block > bound
            values.append(block[above])
            columns.append(above.nonzero()[:, 1])
            n_waiting += len(values[-1])
            if n_waiting > room:
                found = sort_by_column(torch.cat(values), torch.cat(columns), len(bound))
                wanted = found.places <= quotas[found.columns]
                values, columns = [found.values[wanted]], [found.columns[wanted]]
                n_waiting = 0
                full = found.counts > quotas
                bound[full] = found.values[(found.starts + quotas)[full]]
        return sort_by_column(torch.cat(values), torch.cat(columns), len(bound))

    def get_extra_state(self) -> dict[str, Any]:
        """State for the state dict."""
        return {"n_calls": self.n_calls}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore the state."""
        self.n_calls = state["n_calls"]
