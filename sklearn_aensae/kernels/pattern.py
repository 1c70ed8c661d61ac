"""Where the active codes of a batch are, and the three products that touch nothing else."""

from functools import cached_property, partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from sklearn_aensae.kernels.products import products_on
from sklearn_aensae.kernels.workspace import Workspace

__all__ = ["Pattern"]


class _Transposed(NamedTuple):
    """The pattern by columns."""

    order: Tensor
    """Positions of the entries, column after column."""
    rows: Tensor
    """Row of each entry in that order."""
    column_starts: Tensor
    """Where each column begins in that order."""


class Pattern:
    r"""Positions of the entries of a sparse matrix S of shape (n_rows, n_columns), row by row.

    With the entries' values :math:`s`, the products cost O(entries * width):

    - :meth:`product`: :math:`S B` for B of shape (n_columns, width);
    - :meth:`transposed_product`: :math:`S^\top A` for A of shape (n_rows, width);
    - :meth:`sampled_product`: :math:`(A B^\top)_{ij}` at the entries only.

    Parameters
    ----------
    columns : int32 Tensor of shape (n_entries,)
        Column of each entry; a column appears at most once in a row.
    row_starts : int32 Tensor of shape (n_rows + 1,)
        Where each row begins in `columns`, and the number of entries.
    n_columns : int
        Number of columns.
    """

    def __init__(self, columns: Tensor, row_starts: Tensor, n_columns: int) -> None:
        self.columns = columns
        self.row_starts = row_starts
        self.n_rows = len(row_starts) - 1
        self.n_columns = n_columns

    @cached_property
    def rows(self) -> Tensor:
        """Row of each entry: int32, shape (n_entries,)."""
        counts = self.row_starts.diff()
        rows = torch.arange(self.n_rows, dtype=torch.int32, device=counts.device)
        return rows.repeat_interleave(counts, output_size=len(self.columns))

    @cached_property
    def transposed(self) -> _Transposed:
        """The entries by columns: one sort serves every transposed product of a step."""
        order = torch.argsort(self.columns, stable=True)
        counts = self.column_sums(torch.ones_like(self.columns))
        column_starts = functional.pad(counts.cumsum(0, dtype=torch.int32), (1, 0))
        return _Transposed(order, self.rows[order], column_starts)

    def chosen(self, entries: Tensor) -> "Pattern":
        """Pattern of some of the entries, given by their positions in ascending order."""
        rows = self.rows[entries]
        counts = torch.zeros(self.n_rows, dtype=torch.int32, device=rows.device)
        counts.index_add_(0, rows, torch.ones_like(rows))
        starts = functional.pad(counts.cumsum(0, dtype=torch.int32), (1, 0))
        pattern = Pattern(self.columns[entries], starts, self.n_columns)
        # Where the cached property keeps its value.
        pattern.__dict__["rows"] = rows
        return pattern

    def column_sums(self, values: Tensor) -> Tensor:
        """Sum of the entries of each column: shape (n_columns,); differentiable."""
        return values.new_zeros(self.n_columns).index_add(0, self.columns, values)

    def row_sums(self, values: Tensor) -> Tensor:
        """Sum of the entries of each row: shape (n_rows,); differentiable."""
        return values.new_zeros(self.n_rows).index_add(0, self.rows, values)

    def product(self, values: Tensor, b: Tensor, workspace: Workspace, role: str) -> Tensor:
        """Sparse times dense: (n_rows, n_columns) @ (n_columns, width).

        The result may be written into the memory that the workspace lends for `role`.
        """
        lend = partial(workspace.take, role, like=b)
        return products_on(b.device).product(values, self.columns, self.row_starts, b, lend)

    def transposed_product(
        self, values: Tensor, a: Tensor, workspace: Workspace, role: str
    ) -> Tensor:
        """Transposed sparse times dense: (n_columns, n_rows) @ (n_rows, width).

        The result may be written into the memory that the workspace lends for `role`.
        """
        order, rows, column_starts = self.transposed
        lend = partial(workspace.take, role, like=a)
        return products_on(a.device).product(values[order], rows, column_starts, a, lend)

    def sampled_product(self, a: Tensor, b: Tensor) -> Tensor:
        """Entries of a @ b.T, (n_rows, width) @ (width, n_columns), in the pattern's order."""
        return products_on(a.device).sampled_product(self.columns, self.row_starts, a, b)
