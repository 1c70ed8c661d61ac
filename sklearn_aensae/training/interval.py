"""What the steps since the last log row gave: kept on the device, read all at once."""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklearn_aensae.kernels.square_sum import square_sum
from sklearn_aensae.modules import SAEOutput

__all__ = ["Interval", "Summary"]

SAMPLE_ROWS = 256
"""Rows of a batch whose explained variance counts: passes over all of them take time."""

SAMPLE_STEPS = 10
"""Every so many steps, rows are sampled: on small models it is the calls that take time."""


class Summary(NamedTuple):
    """Means over an interval."""

    means: dict[str, float]
    """Loss and terms, means over rows; L0, mean over the rows of sampled batches."""
    explained_variance: float
    """Of the sampled rows, against their own column means."""
    sparse_share: float
    """Share of batches whose step ran on the active set."""
    n_rows: int
    """Rows seen."""
    n_steps: int
    """Batches seen."""
    first_bad: int | None
    """Position in the interval of the first step whose loss was not finite."""


class Interval:
    """Accumulates statistics of training steps without reading the device."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.values: list[tuple[Tensor, ...]] = []
        self.n_rows: list[int] = []
        self.samples: list[tuple[Tensor, ...]] = []
        self.n_sampled = 0
        self.n_sparse = 0
        self.shift: Tensor | None = None
        self.total: Tensor | None = None

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.values)

    def add(
        self, wanted: Tensor, output: SAEOutput, loss: Tensor, terms: dict[str, Tensor]
    ) -> None:
        """Take in one step: what was wanted, what came of it, its loss and the loss's terms."""
        if len(self.values) % SAMPLE_STEPS == 0:
            self._sample(wanted[:SAMPLE_ROWS], output)
        self.names = ["loss", *terms]
        self.values.append((loss, *terms.values()))
        self.n_rows.append(wanted.shape[0])
        self.n_sparse += output.codes.is_sparse

    @torch.no_grad()
    def _sample(self, wanted: Tensor, output: SAEOutput) -> None:
        """Take in the L0 of a batch, and some of its rows with their reconstruction."""
        if self.shift is None or self.total is None:
            # Deviations from a point near the mean: squares far from the origin lose digits.
            self.shift = wanted.mean(0)
            self.total = torch.zeros_like(self.shift)
        deviation = wanted - self.shift
        self.total += deviation.sum(0)
        error = wanted - output.reconstruction[: len(wanted)]
        self.samples.append((square_sum(error), square_sum(deviation), output.codes.l0()))
        self.n_sampled += len(wanted)

    @np.errstate(over="ignore", invalid="ignore")
    def summary(self) -> Summary:
        """Read the device, once; what is not finite is the monitor's to complain of."""
        assert self.total is not None
        # Single precision would not do for sums over millions of rows.
        read = torch.cat([_stacked(self.values + self.samples), self.total]).cpu().double().numpy()
        n_values, n_samples = len(self) * len(self.names), 3 * len(self.samples)
        steps = read[:n_values].reshape(len(self), -1)
        samples = read[n_values : n_values + n_samples].reshape(-1, 3)
        total = read[n_values + n_samples :]
        rows = np.array(self.n_rows, dtype=np.float64)
        means = dict(zip(self.names, _weighted_mean(steps, rows), strict=True))
        (means["l0"],) = _weighted_mean(samples[:, 2:], rows[::SAMPLE_STEPS])
        error, square = samples[:, :2].sum(0).tolist()
        spread = square - float(np.square(total).sum()) / self.n_sampled
        bad = np.flatnonzero(~np.isfinite(steps[:, 0]))
        return Summary(
            means,
            1 - error / spread if spread > 0 else math.nan,
            self.n_sparse / len(self),
            sum(self.n_rows),
            len(self),
            int(bad[0]) if bad.size else None,
        )

    def state_dict(self) -> dict[str, Any]:
        """All of it: tensors, numbers and names."""
        return {
            "names": self.names,
            "values": _stacked(self.values).view(len(self), -1) if self.values else None,
            "n_rows": self.n_rows,
            "samples": _stacked(self.samples).view(-1, 3) if self.samples else None,
            "n_sampled": self.n_sampled,
            "n_sparse": self.n_sparse,
            "shift": self.shift,
            "total": self.total,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.names, self.n_rows = [*state["names"]], [*state["n_rows"]]
        steps, samples = state["values"], state["samples"]
        self.values = [] if steps is None else [tuple(step) for step in steps]
        self.samples = [] if samples is None else [tuple(sample) for sample in samples]
        self.n_sampled, self.n_sparse = state["n_sampled"], state["n_sparse"]
        self.shift, self.total = state["shift"], state["total"]


def _stacked(numbers: list[tuple[Tensor, ...]]) -> Tensor:
    """Return all numbers, one tuple after another, in the precision of the first."""
    dtype = numbers[0][0].dtype
    flat = [number for some in numbers for number in some]
    return torch.stack([number if number.dtype == dtype else number.to(dtype) for number in flat])


def _weighted_mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> list[float]:
    """Return the mean of each column, without BLAS: its threads would spin beside torch's."""
    means: list[float] = ((weights[:, None] * values).sum(0) / weights.sum()).tolist()
    return means
