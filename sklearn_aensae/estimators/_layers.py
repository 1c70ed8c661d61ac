"""Layers of a dictionary: how sizes and numbers of active components are given."""

from collections.abc import Sequence
from itertools import accumulate
from numbers import Integral, Real
from typing import Any

from sklearn_aensae.params import Where

__all__ = ["LAYERS", "PARTS", "cut"]


def _is_whole(value: Any, low: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= low


def _are_parts(values: Any) -> bool:
    """Whether `values` are parts of a whole: counts, or shares that sum to 1."""
    if not isinstance(values, list | tuple) or not values:
        return False
    if all(_is_whole(value, 1) for value in values):
        return True
    if not all(isinstance(value, Real) and not isinstance(value, Integral) for value in values):
        return False
    shares = [float(value) for value in values]
    return min(shares) > 0 and abs(sum(shares) - 1) < 1e-6


PARTS = Where("a list of ints >= 1, or of shares (floats > 0) that sum to 1", _are_parts)
LAYERS = Where(
    "a list of ints >= 0",
    lambda values: isinstance(values, list | tuple) and all(_is_whole(v, 0) for v in values),
)


def cut(
    n_components: int, k: int, layer_sizes: Sequence[float], layer_k: Sequence[float]
) -> tuple[list[int], list[int]]:
    """Return the end of each layer, and its most active components.

    Parameters
    ----------
    n_components, k : int
        What shares are shares of.
    layer_sizes, layer_k : sequence of int or of float
        Counts or shares. A layer whose share is too small for a component is left out. The first
        layer takes what rounding and the others, at least 1 each, leave of `k`; of what is more
        than its components, later layers take what they can, then earlier ones.

    Raises
    ------
    ValueError
        If the two have different lengths, sizes do not sum to the components, `k` is too small, or
        a count of `layer_k` exceeds its layer.
    """
    if len(layer_sizes) != len(layer_k):
        raise ValueError(
            f"layer_sizes has {len(layer_sizes)} layers, but layer_k has {len(layer_k)}."
        )
    counted = isinstance(layer_sizes[0], Integral)
    if counted and sum(layer_sizes) != n_components:
        raise ValueError(
            f"layer_sizes={layer_sizes!r} sums to {sum(layer_sizes)}, but there are {n_components} "
            "components; use shares, floats that sum to 1, for any number of components."
        )
    scale = 1 if counted else n_components
    ends = [round(end * scale) for end in accumulate(layer_sizes)]
    sizes = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    parts = [part for size, part in zip(sizes, layer_k, strict=True) if size]
    if isinstance(parts[0], Integral):
        _check_room(layer_k, sizes)
        active = [int(part) for part in parts]
    else:
        later = [max(1, round(share * k)) for share in parts[1:]]
        active = [k - sum(later), *later]
        if active[0] < 1:
            raise ValueError(f"k={k} leaves less than one active component for each of {parts}.")
    sizes = [size for size in sizes if size]
    return list(accumulate(sizes)), _fill(sizes, active)


def _check_room(layer_k: Sequence[float], sizes: Sequence[int]) -> None:
    """Refuse more active components than a layer has."""
    for i, (k, size) in enumerate(zip(layer_k, sizes, strict=True)):
        if k > size > 0:
            raise ValueError(
                f"layer_k={layer_k!r} lets {k} of the {size} components of layer {i} be active."
            )


def _fill(sizes: Sequence[int], active: Sequence[int]) -> list[int]:
    """Give each layer as many as it can hold, and hand on what it cannot."""
    filled, left = list(active), 0
    for _ in range(2):  # to later layers, then to those before
        for i, size in enumerate(sizes):
            wanted = filled[i] + left
            filled[i] = min(wanted, size)
            left = wanted - filled[i]
    return filled
