"""Linear systems of a few codes, one for each row of a batch, and their non-negative solutions."""

import torch
from torch import Tensor

__all__ = ["drop_negative", "first", "solve_free", "solve_on", "some"]

SINGULAR, TRACE, CORRECTIONS = 1, 30, 3
"""Pivot that is none, the ridge that then makes up for it, both in units of rounding of the atom's
own square, and how often what the ridge has changed is put right."""


def first(members: Tensor) -> tuple[Tensor, Tensor]:
    """Return the slots of the members, as many as the row with most has, and which are members."""
    n_slots = max(1, int(members.sum(1).amax())) if len(members) else 1
    slots = members.byte().argsort(dim=1, descending=True, stable=True)[:, :n_slots]
    return slots, members.gather(1, slots)


def drop_negative(gram: Tensor, wanted: Tensor, members: Tensor) -> Tensor:
    """Solve on the member slots of each row, leave out all codes that are not positive, again.

    A few solutions lead to codes that are best for their own support, which is not always the best
    part of the members.
    """
    free, values = members.clone(), torch.zeros_like(wanted)
    rows = torch.arange(len(values), device=values.device)
    while len(rows):
        now = some(free, rows)
        values[rows] = goal = solve_free(some(gram, rows), some(wanted, rows), now)
        blocked = now & (goal <= 0)
        rows = rows[blocked.any(1)]
        free &= values > 0
    return values


def solve_on(gram: Tensor, wanted: Tensor, values: Tensor, members: Tensor) -> Tensor:
    """Solve on the member slots of each row only: non-negative quadratic programs of a few codes.

    The method of Lawson and Hanson: solve without the constraint, go there as far as all codes
    stay non-negative, leave out those that have become 0, and again until none does.
    """
    values, members = torch.where(members, values, 0), members.clone()
    rows = torch.arange(len(values), device=values.device)
    while len(rows):
        now, free = some(values, rows), some(members, rows)
        goal = solve_free(some(gram, rows), some(wanted, rows), free)
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


def some(tensor: Tensor, rows: Tensor) -> Tensor:
    """Return these rows of what has one entry per row: in their order, and all without a copy."""
    return tensor if len(rows) == len(tensor) else tensor[rows]


def solve_free(gram: Tensor, wanted: Tensor, free: Tensor) -> Tensor:
    """Solve the linear systems of the free slots; 0 in the others."""
    both = free.unsqueeze(1) & free.unsqueeze(2)
    matrix = torch.where(both, gram, 0)
    diagonal = matrix.diagonal(dim1=1, dim2=2)
    # Nothing but 0 is asked of other slots, and of atoms that are 0.
    diagonal.add_(torch.where(diagonal > 0, 0, 1))
    right = torch.where(free, wanted, 0).unsqueeze(2)
    factor, info = torch.linalg.cholesky_ex(matrix)
    pivots = factor.diagonal(dim1=1, dim2=2).square() / diagonal
    eps = torch.finfo(gram.dtype).eps
    singular = (info > 0) | ~(pivots > SINGULAR * eps).all(1)
    solution = torch.cholesky_solve(right, factor)
    if bool(singular.any()):
        solution[singular] = _solve_singular(matrix[singular], right[singular])
    return solution.squeeze(2)


def _solve_singular(matrix: Tensor, right: Tensor) -> Tensor:
    """Find one solution where some atoms are sums of others: a trace of a ridge makes it unique.

    What the ridge changes along directions that are not singular is put right again.
    """
    ridged = matrix.clone()
    diagonal = ridged.diagonal(dim1=1, dim2=2)
    diagonal.mul_(1 + TRACE * torch.finfo(matrix.dtype).eps)
    factor = torch.linalg.cholesky(ridged)
    solution = torch.cholesky_solve(right, factor)
    for _ in range(CORRECTIONS):
        solution += torch.cholesky_solve(right - matrix @ solution, factor)
    return solution
