"""Entries of a sparse matrix by column, the largest of each first."""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["ByColumn", "sort_by_column"]


class ByColumn(NamedTuple):
    """Entries sorted by column and value."""

    order: Tensor
    """Positions in the order that was given: shape (n_entries,), as the next three."""
    values: Tensor
    columns: Tensor
    places: Tensor
    """Place of each entry in its column, from 0 for the largest."""
    starts: Tensor
    """Where each column begins: shape (n_columns,)."""
    counts: Tensor
    """Number of its entries."""


def sort_by_column(values: Tensor, columns: Tensor, n_columns: int) -> ByColumn:
    """Sort entries by column and, within, from the largest to the smallest; ties keep their order.

    Parameters
    ----------
    values : Tensor of shape (n_entries,)
        Entries.
    columns : integer Tensor of shape (n_entries,)
        Their columns.
    n_columns : int
        Number of columns.
    """
    order = values.argsort(descending=True, stable=True)
    order = order[columns[order].argsort(stable=True)]
    columns = columns[order].long()
    counts = torch.zeros(n_columns, dtype=torch.long, device=values.device)
    counts.index_add_(0, columns, torch.ones_like(columns))
    starts = counts.cumsum(0) - counts
    places = torch.arange(len(values), device=values.device) - starts[columns]
    return ByColumn(order, values[order], columns, places, starts, counts)
