"""Codes of given components that reconstruct rows best: non-negative least squares."""

import torch
from torch import Tensor

from sklearn_aensae.coding.active_set import WORK, drop_negative, solve_on
from sklearn_aensae.coding.problem import Coding

__all__ = ["debias", "threshold"]

ROUNDING = 1_000
"""Slopes that count as 0, in units of rounding of the largest right-hand side."""


@torch.no_grad()
def debias(rows: Tensor, atoms: Tensor, columns: Tensor, values: Tensor) -> Tensor:
    """Solve non-negative least squares on the components that are active in each row.

    Parameters
    ----------
    rows : Tensor of shape (n_rows, n_features)
        What is to be reconstructed.
    atoms : Tensor of shape (n_components, n_features)
        Dictionary.
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
    counts, result = (values > 0).sum(1), torch.zeros_like(values)
    # Rows with as many codes go together: systems have the size of the largest in their block.
    order = counts.argsort(descending=True)
    start = 0
    while start < len(order):
        n_slots = max(1, int(counts[order[start]]))
        work = n_slots * max(n_slots, atoms.shape[1])
        block = order[start : start + max(1, WORK // work)]
        start += len(block)
        own = values[block]
        slots = (own > 0).byte().argsort(dim=1, descending=True, stable=True)[:, :n_slots]
        members = atoms[columns[block].gather(1, slots)]
        found = _debias(rows[block], members, own.gather(1, slots))
        result[block] = torch.zeros_like(own).scatter_(1, slots, found)
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
    least = (problem.alpha / problem.atoms.square().sum(1))[columns]
    values = debias(problem.x, problem.atoms, columns, values)
    rows = torch.arange(len(values), device=values.device)
    while len(rows):
        now = values[rows]
        is_small = (now > 0) & (now < least[rows])
        n_small = is_small.sum(1, keepdim=True)
        order = torch.where(is_small, now, torch.inf).argsort(dim=1).argsort(dim=1)
        kept = torch.where(order < (n_small + 1) // 2, 0, now)
        changed = n_small[:, 0] > 0
        rows = rows[changed]
        values[rows] = debias(problem.x[rows], problem.atoms, columns[rows], kept[changed])
    return values


def _debias(targets: Tensor, atoms: Tensor, values: Tensor) -> Tensor:
    """Solve the rows of one block, each on atoms of its own: (n_rows, n_slots, n_features)."""
    gram, wanted = atoms @ atoms.transpose(1, 2), (atoms @ targets.unsqueeze(2)).squeeze(2)
    allowed = values > 0
    values = drop_negative(gram, wanted, allowed)
    least = ROUNDING * torch.finfo(values.dtype).eps * wanted.abs().amax(1, keepdim=True)
    rows = torch.arange(len(values), device=values.device)
    # The best of the components that were left out comes back in; no row ever gets worse.
    while len(rows):
        now = values[rows]
        slopes = wanted[rows] - (gram[rows] @ now.unsqueeze(2)).squeeze(2)
        slopes = torch.where(allowed[rows] & (now == 0), slopes, -torch.inf)
        steepest, slot = slopes.max(1)
        enters = steepest > least[rows, 0]
        rows, slot, now = rows[enters], slot[enters], now[enters]
        members = (now > 0).scatter_(1, slot.unsqueeze(1), True)
        values[rows] = after = solve_on(gram[rows], wanted[rows], now, members)
        # One that rounding turns away again would come back for ever.
        rows = rows[after.gather(1, slot.unsqueeze(1)).squeeze(1) > 0]
    return values
