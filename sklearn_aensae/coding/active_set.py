"""Exact codes by an active-set method, all rows of a batch at once."""

from typing import NamedTuple

import torch
from torch import Tensor

from sklearn_aensae.coding.problem import Coding

__all__ = ["Solution", "solve"]

ENTRANTS = 16
"""Most components that enter a row's active set at a time."""

MOST_ROUNDS = 1_000
"""Far more than any row takes: at worst it gains one component per round."""

SINGULAR, TRACE = 100, 1_000
"""Pivot that is none, and the ridge that then makes up for it, in units of rounding."""


class Solution(NamedTuple):
    """Codes of a batch of rows, and how good they are."""

    columns: Tensor
    """Components of the slots of each row: (n_rows, n_slots)."""
    values: Tensor
    """Their codes, 0 in empty slots: (n_rows, n_slots)."""
    gaps: Tensor
    """Relative duality gaps: (n_rows,), in double precision."""


@torch.no_grad()
def solve(coding: Coding, columns: Tensor, values: Tensor, *, tol: float) -> Solution:
    """Solve the problems of all rows, from given codes on.

    Each round solves exactly on a row's active set, and lets components enter whose penalty
    is less than what they would explain. The value of a row never rises, so its solution is at
    least as good as the codes it began with. A round takes one dense product over the rows that
    are not done.

    Parameters
    ----------
    coding : Coding
        The problems.
    columns, values : Tensors of shape (n_rows, n_slots)
        Codes to begin with.
    tol : float
        Relative duality gap at which a row is done.

    Returns
    -------
    solution : Solution
        A row whose gap is above `tol` has come as far as its float type or `MOST_ROUNDS` allows.
    """
    n_rows, device = len(coding.x), coding.x.device
    found = _Found(n_rows, values)
    todo = torch.arange(n_rows, device=device)
    best = torch.full((n_rows,), torch.inf, dtype=torch.float64, device=device)
    most = torch.full((n_rows,), ENTRANTS, device=device)
    members = values > 0
    for _ in range(MOST_ROUNDS):
        values = solve_on(coding, columns, values, members)
        residuals = coding.residuals(columns, values)
        slopes = coding.slopes(residuals, columns, values)
        gaps = coding.gaps(residuals, slopes, columns, values)
        value = coding.objectives(residuals, columns, values)
        # Several entrants at once may all be turned away again; the steepest one alone is not,
        # unless rounding has the last word.
        stuck = value >= best
        done = (gaps <= tol) | (stuck & (most == 1))
        found.add(todo[done], columns[done], values[done], gaps[done])
        left = ~done
        if not bool(left.any()):
            break
        todo, coding = todo[left], coding.rows(left)
        best, most = torch.minimum(best, value)[left], torch.where(stuck, 1, most)[left]
        columns, values, gaps = columns[left], values[left], gaps[left]
        last = columns, values, gaps
        columns, values, members = _let_in(columns, values, slopes[left], most)
    else:
        found.add(todo, *last)
    return found.solution()


def _let_in(
    columns: Tensor, values: Tensor, slopes: Tensor, most: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Add the steepest components to each row, and leave out what has become 0."""
    active = values > 0
    # The slope of an active component is 0 up to rounding.
    slopes = slopes.masked_fill(_mark(columns, active, slopes.shape[1]), -torch.inf)
    steepest = slopes.topk(min(ENTRANTS, slopes.shape[1]), dim=1)
    rank = torch.arange(steepest.indices.shape[1], device=slopes.device)
    enters = (steepest.values > 0) & (rank < most.unsqueeze(1))
    columns = torch.cat([columns, steepest.indices], dim=1)
    values = torch.cat([values, torch.zeros_like(steepest.values)], dim=1)
    members = torch.cat([active, enters], dim=1)
    n_slots = max(1, int(members.sum(1).max()))
    order = members.long().argsort(dim=1, descending=True, stable=True)[:, :n_slots]
    return columns.gather(1, order), values.gather(1, order), members.gather(1, order)


def _mark(columns: Tensor, where: Tensor, n_components: int) -> Tensor:
    """Whether each component of each row is in a marked slot."""
    counts = torch.zeros(len(columns), n_components, dtype=torch.int32, device=columns.device)
    return counts.scatter_add_(1, columns, where.int()) > 0


def solve_on(coding: Coding, columns: Tensor, values: Tensor, members: Tensor) -> Tensor:
    """Solve on the member slots of each row only: non-negative quadratic programs of a few codes.

    The method of Lawson and Hanson: solve without the constraint, go there as far as all codes
    stay non-negative, leave out those that have become 0, and again until none does.
    """
    atoms = coding.atoms[columns]
    gram = atoms @ atoms.transpose(1, 2)
    gram.diagonal(dim1=1, dim2=2).add_(coding.mu)
    wanted = (atoms @ coding.x.unsqueeze(2)).squeeze(2) - coding.alpha[columns]
    values = torch.where(members, values, 0)
    rows = torch.arange(len(values), device=values.device)
    while len(rows):
        now, free = values[rows], members[rows]
        goal = _solve_free(gram[rows], wanted[rows], free)
        blocked = free & (goal <= 0)
        # The share of the way at which the first code reaches 0.
        share = torch.where(blocked, now / (now - goal).clamp(min=1e-30), torch.inf)
        step = share.amin(1, keepdim=True).clamp(max=1)
        leaves = blocked & (share <= step)
        there = torch.where(leaves, 0, now + step * (goal - now)).clamp_(min=0)
        values[rows] = torch.where(free, there, 0)
        members[rows] = free & ~leaves
        rows = rows[blocked.any(1)]
    return values


def _solve_free(gram: Tensor, wanted: Tensor, free: Tensor) -> Tensor:
    """Solve the linear systems of the free slots; 0 in the others."""
    both = free.unsqueeze(1) & free.unsqueeze(2)
    matrix = torch.where(both, gram, 0)
    diagonal = matrix.diagonal(dim1=1, dim2=2)
    diagonal.add_(torch.where(free, 0, 1))
    right = torch.where(free, wanted, 0).unsqueeze(2)
    factor, info = torch.linalg.cholesky_ex(matrix)
    scale = torch.finfo(gram.dtype).eps * diagonal.amax(1)
    pivots = factor.diagonal(dim1=1, dim2=2).amin(1).square()
    # Equal atoms, without a ridge, have no unique solution: a trace of one gives the even one.
    if bool((singular := (info > 0) | ~(pivots > SINGULAR * scale)).any()):
        diagonal.add_(torch.where(singular, TRACE * scale, 0).unsqueeze(1))
        factor[singular] = torch.linalg.cholesky(matrix[singular])
    return torch.cholesky_solve(right, factor).squeeze(2)


class _Found:
    """Solutions of the rows that are done, in slots that grow with them."""

    def __init__(self, n_rows: int, values: Tensor) -> None:
        self.columns = torch.zeros(n_rows, 1, dtype=torch.long, device=values.device)
        self.values = values.new_zeros(n_rows, 1)
        self.gaps = values.new_zeros(n_rows, dtype=torch.float64)

    def add(self, rows: Tensor, columns: Tensor, values: Tensor, gaps: Tensor) -> None:
        """Take in some rows."""
        missing = columns.shape[1] - self.columns.shape[1]
        if missing > 0:
            grown = (len(self.columns), missing)
            self.columns = torch.cat([self.columns, self.columns.new_zeros(grown)], dim=1)
            self.values = torch.cat([self.values, self.values.new_zeros(grown)], dim=1)
        self.columns[rows, : columns.shape[1]] = columns
        self.values[rows, : values.shape[1]] = values
        self.gaps[rows] = gaps

    def solution(self) -> Solution:
        """All of them."""
        return Solution(self.columns, self.values, self.gaps)
