"""Exact codes by an active-set method, all rows of a batch at once."""

from typing import NamedTuple

import torch
from torch import Tensor

from sklearn_aensae.coding.problem import Coding
from sklearn_aensae.coding.systems import drop_negative, first, solve_on

__all__ = ["Solution", "solve"]

ENTRANTS = 16
"""Most components that enter a row's active set at a time."""

MOST_ROUNDS = 1_000
"""Far more than any row takes: at worst it gains one component per round."""

FEW_ROUNDS = 3
"""In double precision, to prove what single precision has found."""

WORK = 2**19
"""Numbers in the largest temporary of a block of rows: about what stays in cache."""


class Solution(NamedTuple):
    """Codes of a batch of rows, and how good they are."""

    columns: Tensor
    """Components of the slots of each row: (n_rows, n_slots)."""
    values: Tensor
    """Their codes, 0 in empty slots: (n_rows, n_slots)."""
    gaps: Tensor
    """Relative duality gaps: (n_rows,), in double precision."""


@torch.no_grad()
def solve(
    coding: Coding, columns: Tensor, values: Tensor, *, tol: float, n_rounds: int = MOST_ROUNDS
) -> Solution:
    """Solve the problems of all rows, from given codes on.

    Rows are taken in blocks with about the same number of codes. Each round solves exactly on a
    row's active set, and lets components enter whose penalty is less than what they would explain.
    The value of a row never rises, so its solution is at least as good as the codes it began with.
    A round takes one dense product over the rows that are not done.

    Parameters
    ----------
    coding : Coding
        The problems.
    columns, values : Tensors of shape (n_rows, n_slots)
        Codes to begin with.
    tol : float
        Relative duality gap at which a row is done.
    n_rounds : int, default=1000
        Most rounds. If there are fewer, the first takes no other components than those that are
        active to begin with.

    Returns
    -------
    solution : Solution
        A row whose gap is above `tol` has come as far as its float type or `n_rounds` allows.
    """
    problem = coding.prepared()
    counts, order = (values > 0).sum(1).sort(stable=True)
    found = _Found(len(coding.x), values)
    for rows in order.split(_sizes(problem, counts.tolist())):
        _solve_block(problem, rows, columns, values, found, tol=tol, n_rounds=n_rounds)
    # What few rounds leave is no solution to be proved.
    if n_rounds == MOST_ROUNDS and problem.x.dtype != torch.float64:
        _sharpen(problem, found, tol)
    return found.solution()


def _sizes(problem: Coding, counts: list[int]) -> list[int]:
    """Divide rows into blocks, by how many codes each begins with, in ascending order."""
    sizes, start = [], 0
    while start < len(counts):
        size = len(counts) - start
        # Of as many rows as the first one allows, the last one, which has most codes, decides.
        for last in (0, -1):
            n_slots = counts[start : start + size][last] + ENTRANTS
            size = min(size, max(1, WORK // problem.work(n_slots)))
        sizes.append(size)
        start += size
    return sizes


def _solve_block(
    problem: Coding,
    rows: Tensor,
    columns: Tensor,
    values: Tensor,
    found: "_Found",
    *,
    tol: float,
    n_rounds: int,
) -> None:
    """Solve the problems of some rows."""
    todo, coding = rows, problem.rows(rows)
    most = torch.full((len(rows),), ENTRANTS, device=rows.device)
    columns, values, members = _compact(columns[rows], values[rows], values[rows] > 0)
    residuals = coding.residuals(columns, values)
    best = coding.objectives(residuals, columns, values)
    free = coding.first_slopes()
    if n_rounds == MOST_ROUNDS:
        # Nearly all rows lack some components: with a few, the first round is worth more.
        slopes = coding.slopes(residuals, columns, values, free)
        columns, values, members = _let_in(columns, values, slopes, most // 2)
    for _ in range(n_rounds):
        values, residuals, value = _descend(coding, columns, values, members, free, best)
        slopes = coding.slopes(residuals, columns, values, free)
        gaps = coding.gaps(residuals, slopes, columns, values)
        # Several entrants at once may all be turned away again; the steepest one alone is not,
        # unless rounding has the last word.
        stuck = value >= best
        done = (gaps <= tol) | (stuck & (most == 1))
        if bool((stuck & ~done).any()):
            done |= stuck & coding.is_settled(slopes, columns, values)
        found.add(todo[done], columns[done], values[done], gaps[done])
        left = ~done
        if not bool(left.any()):
            break
        todo, coding = todo[left], coding.rows(left)
        most = torch.where(stuck, most // 4, 2 * most).clamp(1, ENTRANTS)[left]
        best = torch.minimum(best, value)[left]
        columns, values, gaps = columns[left], values[left], gaps[left]
        last = columns, values, gaps
        free = free[left]
        columns, values, members = _let_in(columns, values, slopes[left], most)
    else:
        found.add(todo, *last)


def _descend(
    coding: Coding, columns: Tensor, values: Tensor, members: Tensor, free: Tensor, best: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Solve on the members of each row; return values, what they leave, and the objective.

    Nearly always all codes that would be negative can be left out at once. The rows that end up
    above where they began take the way that cannot rise.
    """
    gram, wanted = coding.systems(columns, free)
    trial = drop_negative(gram, wanted, members)
    residuals = coding.residuals(columns, trial)
    value = coding.objectives(residuals, columns, trial)
    rose = (value > best).nonzero().flatten()
    if len(rose):
        some = coding.rows(rose)
        again = solve_on(gram[rose], wanted[rose], values[rose], members[rose])
        trial[rose], residuals[rose] = again, some.residuals(columns[rose], again)
        value[rose] = some.objectives(residuals[rose], columns[rose], again)
    return trial, residuals, value


def _sharpen(problem: Coding, found: "_Found", tol: float) -> None:
    """Solve on, in double precision, where rounding keeps gaps above the tolerance.

    A penalty of a hundredth of a row's norm is less than 100,000 times the rounding of a slope in
    single precision: no dual point from such slopes proves a gap of 1e-5, though the code itself is
    mostly far nearer, as its error counts squared. A few rounds in double precision give a dual
    point that does. The code is theirs, rounded, and so is the gap.
    """
    rows = (found.gaps > tol).nonzero().flatten()
    if not len(rows):
        return
    exact = problem.rows(rows).double()
    start = found.columns[rows], found.values[rows].double()
    columns, values, gaps = solve(exact, *start, tol=0.1 * tol, n_rounds=FEW_ROUNDS)

    def objectives(values: Tensor) -> Tensor:
        return exact.objectives(exact.residuals(columns, values), columns, values)

    least = objectives(values) * (1 - gaps)
    rounded = values.to(found.values)
    value = objectives(rounded.double())
    nearer = (value - least) / value.clamp(min=1e-300)
    is_nearer = nearer < found.gaps[rows]
    found.replace(*(part[is_nearer] for part in (rows, columns, rounded, nearer)))


def _let_in(
    columns: Tensor, values: Tensor, slopes: Tensor, most: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Add the steepest components to each row, and leave out what has become 0.

    Slopes are overwritten.
    """
    active = values > 0
    # Not to enter twice: the slope of an active component is 0 up to rounding. An empty slot may
    # have the column of another one, and adds nothing.
    slopes.scatter_add_(1, columns, torch.where(active, -torch.inf, 0.0).to(slopes))
    steepest = slopes.topk(min(ENTRANTS, slopes.shape[1]), dim=1)
    rank = torch.arange(steepest.indices.shape[1], device=slopes.device)
    enters = (steepest.values > 0) & (rank < most.unsqueeze(1))
    columns = torch.cat([columns, steepest.indices], dim=1)
    values = torch.cat([values, torch.zeros_like(steepest.values)], dim=1)
    members = torch.cat([active, enters], dim=1)
    return _compact(columns, values, members)


def _compact(columns: Tensor, values: Tensor, members: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Move the members of each row to its first slots, and leave out slots that no row needs."""
    slots, members = first(members)
    return columns.gather(1, slots), values.gather(1, slots), members


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

    def replace(self, rows: Tensor, columns: Tensor, values: Tensor, gaps: Tensor) -> None:
        """Put other solutions in the place of those of some rows."""
        self.values[rows] = 0
        self.add(rows, columns, values, gaps)

    def solution(self) -> Solution:
        """All of them."""
        return Solution(self.columns, self.values, self.gaps)
