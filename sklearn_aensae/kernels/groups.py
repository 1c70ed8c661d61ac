"""What groups of neighbouring components add to a reconstruction, for all groups at once."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from sklearn_aensae.kernels.active import active_decode
from sklearn_aensae.kernels.codes import ActiveCodes, Codes
from sklearn_aensae.kernels.pattern import Pattern

__all__ = ["group_reconstructions"]


def group_reconstructions(codes: Codes, atoms: Tensor, bounds: Sequence[int]) -> Tensor:
    r"""Products :math:`h_{m:m'} D_{m:m'}` for the groups of components between two bounds each.

    Each code is multiplied once, with its group: on an active set all groups together cost what
    the whole reconstruction does. Their running sums are the reconstructions by prefixes.

    Parameters
    ----------
    codes : Codes of shape (batch, n_components)
        Differentiable.
    atoms : Tensor of shape (n_components, n_features)
        Decoder.
    bounds : sequence of int, of length n_levels
        Where the groups end: ascending, with `bounds[-1] == n_components`.

    Returns
    -------
    Tensor of shape (n_levels, batch, n_features)
        Without a bias.
    """
    if isinstance(codes, ActiveCodes):
        return _active_groups(codes, atoms, bounds)
    sizes = [high - low for low, high in zip([0, *bounds], bounds, strict=False)]
    parts = zip(codes.dense().split(sizes, 1), atoms.split(sizes), strict=True)
    return torch.stack([values @ rows for values, rows in parts])


def _active_groups(codes: ActiveCodes, atoms: Tensor, bounds: Sequence[int]) -> Tensor:
    """Reconstructions by each group alone: shape (n_levels, batch, n_features)."""
    columns, n_rows, n_levels = codes.pattern.columns, codes.n_rows, len(bounds)
    # A matrix of n_levels * n_rows rows: those of the first group, of the second, ... Its row
    # numbers are made on the device, and no size depends on the data.
    keys = codes.pattern.rows.clone()
    for bound in bounds[:-1]:
        keys += n_rows * (columns >= bound)
    keys, order = keys.sort(stable=True)
    counts = torch.zeros(n_levels * n_rows, dtype=torch.int32, device=keys.device)
    counts.index_add_(0, keys, torch.ones_like(keys))
    starts = functional.pad(counts.cumsum(0, dtype=torch.int32), (1, 0))
    pattern = Pattern(columns[order], starts, codes.n_components)
    # Where the cached property keeps its value.
    pattern.__dict__["rows"] = keys
    groups = active_decode(codes.values.index_select(0, order), atoms, pattern)
    return groups.view(n_levels, n_rows, -1)
