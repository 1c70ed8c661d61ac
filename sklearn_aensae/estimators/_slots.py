"""Between codes of a batch and the slots in which they are solved for: as many for each row."""

import torch
from torch import Tensor
from torch.nn import functional

from sklearn_aensae.kernels import ActiveCodes, Codes, Pattern

__all__ = ["to_codes", "to_slots"]


def to_slots(codes: Codes, most: int | None = None) -> tuple[Tensor, Tensor]:
    """Columns and values of the largest codes of each row, in as many slots as are needed."""
    columns = None
    if isinstance(codes, ActiveCodes):
        columns, values = _side_by_side(codes)
    else:
        values = codes.dense()
    n_slots = max(1, int((values > 0).sum(1).max()) if len(values) else 0)
    values, slots = values.topk(n_slots if most is None else min(n_slots, most), dim=1)
    return slots if columns is None else columns.gather(1, slots), values


def to_codes(columns: Tensor, values: Tensor, n_components: int) -> Codes:
    """Active codes, without empty slots."""
    active = values > 0
    starts = functional.pad(active.sum(1).cumsum(0, dtype=torch.int32), (1, 0))
    return ActiveCodes(values[active], Pattern(columns[active].int(), starts, n_components))


def _side_by_side(codes: ActiveCodes) -> tuple[Tensor, Tensor]:
    """Columns and values of all entries of each row, in as many slots as the fullest row has."""
    pattern = codes.pattern
    counts, rows = pattern.row_starts.diff(), pattern.rows
    n_slots = max(1, int(counts.max()) if len(counts) else 0)
    slots = torch.arange(len(rows), device=rows.device) - pattern.row_starts[rows]
    columns = torch.zeros(len(counts), n_slots, dtype=torch.long, device=rows.device)
    values = codes.values.new_zeros(columns.shape)
    columns[rows, slots], values[rows, slots] = pattern.columns.long(), codes.values
    return columns, values
