"""Which entries of a block of pre-codes are active, without a sort of whole rows."""

from typing import NamedTuple

import torch
from torch import Tensor

from sklearn_aensae import _devices
from sklearn_aensae.kernels.workspace import current_workspace

__all__ = [
    "Selected",
    "select_above",
    "select_top",
    "select_top_by",
    "without_padding",
]

BRANCH = 4
"""Columns that share a maximum, per level; 2 and 8 were slower at 4,096 and 16,384 columns."""

SPARE = 4
"""Least size of the coarsest level, in multiples of k: below, finer levels do more work."""

MOST_OCCUPIED = 0.25
"""Share of eights with a true entry above which a second look at them is slower than one at all."""


class Selected(NamedTuple):
    """Active entries of a block of rows, row by row."""

    values: Tensor
    """Shape (n_entries,)."""
    columns: Tensor
    """Shape (n_entries,)."""
    counts: Tensor | int
    """Entries of each row, shape (n_rows,); one number if all rows have the same."""


def select_top(block: Tensor, k: int) -> Selected:
    """Return the `k` largest entries of each row: exactly k, whatever the ties.

    The maxima over groups of columns, groups of groups and so on form a pyramid. The k largest
    lie below the k largest maxima of each level, so a descent that keeps k nodes per level finds
    them and looks at a small part of the row only.

    Parameters
    ----------
    block : Tensor of shape (n_rows, n_columns)
        Pre-codes.
    k : int
        Entries per row, at most n_columns.
    """
    pyramid = [block]
    while pyramid[-1].shape[1] % BRANCH == 0 and pyramid[-1].shape[1] >= BRANCH * SPARE * k:
        # Column c of a level is the maximum of the columns c, c + n, c + 2n, ... below it: the
        # reduction then runs along contiguous memory.
        groups = pyramid[-1].unflatten(1, (BRANCH, -1))
        shape = (len(groups), groups.shape[2])
        level = current_workspace().scratch(f"pyramid_{len(pyramid)}", shape, block)
        pyramid.append(torch.amax(groups, 1, out=level))
    columns = _largest(pyramid.pop(), k)
    while pyramid:
        level = pyramid.pop()
        offsets = torch.arange(
            0, level.shape[1], level.shape[1] // BRANCH, device=level.device
        ).view(-1, 1)
        candidates = (columns.unsqueeze(1) + offsets).flatten(1)
        columns = candidates.gather(1, _largest(level.gather(1, candidates), k))
    return Selected(block.gather(1, columns).flatten(), columns.flatten(), k)


KEYS = {
    torch.float32: (torch.float64, torch.int64),
    torch.bfloat16: (torch.float32, torch.int32),
}
"""Floats that have at least 16 bits more than the entries, and integers of their size."""

MOST_COLUMNS = 2**14
"""Columns up to which a partition is taken: it needs memory for two or three times the entries."""

FEW = 64
"""Entries per row are few if this many columns or more are there for each: topk then sorts those
alone, which is faster."""


def _largest(entries: Tensor, k: int) -> Tensor:
    """Return the positions of the `k` largest entries of each row, in any order.

    Unless they are few, NumPy's partition finds them on the CPU, which is vectorised: torch's
    topk takes two or three times as long. It moves entries and tells no positions, so each entry
    carries its own, in bits that a wider float has to spare; that also decides between equal
    entries.

    Parameters
    ----------
    entries : Tensor of shape (n_rows, n_columns)
        Infinite ones count as the largest that are finite.
    k : int
        Entries per row, at most n_columns.
    """
    n_columns = entries.shape[1]
    suits = n_columns <= MOST_COLUMNS and n_columns < FEW * k and entries.dtype in KEYS
    if not (suits and _devices.reads_are_free(entries.device)):
        return entries.topk(k, dim=1, sorted=False).indices
    floats, integers = KEYS[entries.dtype]
    bound = torch.finfo(entries.dtype).max
    # With bits of a position an infinite entry would be none: not a number, the largest of all.
    keys = entries.to(floats).clamp_(-bound, bound)
    bits = keys.view(integers).bitwise_or_(torch.arange(n_columns, dtype=integers))
    keys.numpy().partition(n_columns - k, axis=1)
    return bits[:, -k:].bitwise_and(MOST_COLUMNS - 1).long()


def select_top_by(block: Tensor, keys: Tensor, k: int) -> Selected:
    """Return the `k` entries of each row whose keys are the largest.

    Parameters
    ----------
    block, keys : Tensors of shape (n_rows, n_columns)
        Pre-codes, and what they are chosen by.
    k : int
        Entries per row, at most n_columns.
    """
    columns = select_top(keys, k).columns
    return Selected(block.gather(1, columns.view(len(block), -1)).flatten(), columns, k)


def select_above(block: Tensor, bound: Tensor | float) -> Selected:
    """Return all entries above a bound; their number depends on the data: it reads the device.

    Parameters
    ----------
    block : contiguous Tensor of shape (n_rows, n_columns)
        Pre-codes.
    bound : float or Tensor of shape () or (n_columns,)
        One for all or one per column.
    """
    n_rows, n_columns = block.shape
    where = _true_positions((block > bound).flatten())
    bounds = torch.arange(0, (n_rows + 1) * n_columns, n_columns, device=block.device)
    counts = torch.searchsorted(where, bounds).diff()
    return Selected(block.flatten()[where], where % n_columns, counts)


def _true_positions(mask: Tensor) -> Tensor:
    """Return where a flat mask is true, in ascending order, reading it eight entries at a time.

    Where few are true, most eights are empty and this takes a quarter of the time of `nonzero`.
    """
    if mask.device.type != "cpu" or len(mask) % 8:
        return mask.nonzero().flatten()
    eights = mask.view(torch.int64)
    occupied = eights.nonzero().flatten()
    if len(occupied) > MOST_OCCUPIED * len(eights):
        return mask.nonzero().flatten()
    within = eights[occupied].view(torch.bool).nonzero().flatten()
    return occupied[within >> 3].mul_(8).add_(within & 7)


def without_padding(values: Tensor, columns: Tensor) -> Selected:
    """Return the positive ones of as many entries per row, where the host may count them.

    Elsewhere all entries: those that are not positive have neither a code nor a gradient.

    Parameters
    ----------
    values, columns : Tensors of shape (n_rows, k)
        Entries of each row.
    """
    if not _devices.reads_are_free(values.device):
        return Selected(values.flatten(), columns.flatten(), values.shape[1])
    positive = values > 0
    return Selected(values[positive], columns[positive], positive.sum(1))
