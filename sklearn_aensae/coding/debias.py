"""Codes of given components that reconstruct rows best: non-negative least squares."""

from collections.abc import Iterator

import torch
from torch import Tensor

from sklearn_aensae.coding.active_set import WORK
from sklearn_aensae.coding.problem import Coding
from sklearn_aensae.coding.systems import drop_negative, first, solve_on, some

__all__ = ["debias", "threshold"]

ROUNDING = 1_000
"""Slopes that count as 0, in units of rounding of the largest right-hand side."""


@torch.no_grad()
def debias(problem: Coding, columns: Tensor, values: Tensor) -> Tensor:
    """Solve non-negative least squares on the components that are active in each row.

    Parameters
    ----------
    problem : Coding
        Rows and atoms; penalties have no part in it.
    columns, values : Tensors of shape (n_rows, n_slots)
        Codes whose components are taken; a slot of value 0 is empty.

    Returns
    -------
    values : Tensor of shape (n_rows, n_slots)
        Codes in the same slots. Those that least squares would have negative are 0.

    References
    ----------
    Lawson and Hanson (1974). Solving least squares problems, chapter 23.
    """
    result = torch.zeros_like(values)
    for rows, slots, system, allowed in _blocks(problem, columns, values):
        _write(result, rows, slots, _fit(*system, allowed))
    return result


@torch.no_grad()
def threshold(problem: Coding, columns: Tensor, values: Tensor) -> Tensor:
    r"""Debias codes, drop small ones, and debias what is left, until none is small.

    Small is what the penalty takes off a code whose atom is alone:
    :math:`\alpha_j / \lVert d_j \rVert^2`. On orthogonal atoms no code that the penalty leaves is
    less. Where atoms are alike, components come in for what the penalty has taken off others, and
    least squares finds them small. Of the small codes of a row the lesser half is dropped at a
    time: of atoms that share what is there, one gets it all.

    Parameters
    ----------
    problem : Coding
        Rows, atoms and penalties.
    columns, values : Tensors of shape (n_rows, n_slots)
        Penalised codes; a slot of value 0 is empty.

    Returns
    -------
    values : Tensor of shape (n_rows, n_slots)
        Codes in the same slots.

    References
    ----------
    van de Geer, Buehlmann and Zhou (2011). The adaptive and the thresholded lasso for potentially
    misspecified models. Electronic Journal of Statistics 5, 688-749. The idea; the size from which
    on a code is kept is ours.
    """
    least = problem.alpha / problem.atoms.square().sum(1)
    result = torch.zeros_like(values)
    for rows, slots, system, allowed in _blocks(problem, columns, values):
        _drop_small(result, rows, slots, system, allowed, least[columns[rows].gather(1, slots)])
    return result


System = tuple[Tensor, Tensor]
"""Matrix and right-hand side of the slots of each row."""


def _blocks(
    problem: Coding, columns: Tensor, values: Tensor
) -> Iterator[tuple[Tensor, Tensor, System, Tensor]]:
    """Yield some rows, the slots they use, their systems, and which of these slots are no filling.

    Rows with as many codes go together: systems have the size of the largest in their block.
    """
    counts = (values > 0).sum(1)
    order = counts.argsort(descending=True)
    start = 0
    while start < len(order):
        n_slots = max(1, int(counts[order[start]]))
        work = n_slots * max(n_slots, problem.x.shape[1])
        if problem.reads_all(n_slots):
            work = problem.work(n_slots)
        rows = order[start : start + max(1, WORK // work)]
        start += len(rows)
        slots, allowed = first(values[rows] > 0)
        system = problem.rows(rows).least_squares(columns[rows].gather(1, slots))
        yield rows, slots, system, allowed


def _write(result: Tensor, rows: Tensor, slots: Tensor, values: Tensor) -> None:
    """Set the codes of rows: these in their slots, and 0 in all others."""
    result[rows] = values.new_zeros(len(rows), result.shape[1]).scatter_(1, slots, values)


def _drop_small(
    result: Tensor, rows: Tensor, slots: Tensor, system: System, allowed: Tensor, least: Tensor
) -> None:
    """Threshold the rows of one block."""
    while len(rows):
        values = _fit(*system, allowed)
        _write(result, rows, slots, values)
        is_small = (values > 0) & (values < least)
        n_small = is_small.sum(1, keepdim=True)
        rank = torch.where(is_small, values, torch.inf).argsort(dim=1).argsort(dim=1)
        kept = (values > 0) & (rank >= (n_small + 1) // 2)
        left = (n_small[:, 0] > 0).nonzero().flatten()
        rows, kept = rows[left], kept[left]
        own, allowed = first(kept)
        gram, wanted = system
        system = _part(gram, left, own), wanted[left].gather(1, own)
        slots, least = slots[left].gather(1, own), least[left].gather(1, own)


def _part(gram: Tensor, rows: Tensor, slots: Tensor) -> Tensor:
    """Matrices of some rows, in some of their slots."""
    n_slots = gram.shape[1]
    where = (rows.view(-1, 1, 1) * n_slots + slots.unsqueeze(2)) * n_slots + slots.unsqueeze(1)
    return gram.flatten().index_select(0, where.flatten()).view(where.shape)


def _fit(gram: Tensor, wanted: Tensor, allowed: Tensor) -> Tensor:
    """Solve the rows of one block, each in its allowed slots."""
    values = drop_negative(gram, wanted, allowed)
    least = ROUNDING * torch.finfo(values.dtype).eps * wanted.abs().amax(1, keepdim=True)
    rows = torch.arange(len(values), device=values.device)
    # The best of the components that were left out comes back in; no row ever gets worse.
    while len(rows):
        now = some(values, rows)
        slopes = some(wanted, rows) - (some(gram, rows) @ now.unsqueeze(2)).squeeze(2)
        slopes = torch.where(some(allowed, rows) & (now == 0), slopes, -torch.inf)
        steepest, slot = slopes.max(1)
        enters = steepest > some(least, rows)[:, 0]
        rows, slot, now = rows[enters], slot[enters], now[enters]
        members = (now > 0).scatter_(1, slot.unsqueeze(1), True)
        values[rows] = after = solve_on(some(gram, rows), some(wanted, rows), now, members)
        # One that rounding turns away again would come back for ever.
        rows = rows[after.gather(1, slot.unsqueeze(1)).squeeze(1) > 0]
    return values
