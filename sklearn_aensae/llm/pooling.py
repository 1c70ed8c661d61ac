"""From one row per token to one row per text."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sklearn_aensae.llm.tokens import Ints

Floats = NDArray[np.float32]
_Segments = Callable[[Floats, Ints], Floats]


def _mean(rows: Floats, starts: Ints) -> Floats:
    """Mean of each segment, summed in float64."""
    # Text by text: one call for all would convert all rows to float64 first.
    means = [text.mean(axis=0, dtype=np.float64) for text in np.split(rows, starts[1:])]
    return np.array(means, dtype=np.float32)


def _max(rows: Floats, starts: Ints) -> Floats:
    """Elementwise maximum of each segment."""
    maxima: Floats = np.maximum.reduceat(rows, starts, axis=0)
    return maxima


def _last(rows: Floats, starts: Ints) -> Floats:
    """Last row of each segment."""
    last: Floats = rows[np.append(starts[1:], len(rows)) - 1]
    return last


#: Ways to make one row of a text's tokens; "tokens" keeps them all and needs no function.
POOLINGS: dict[str, _Segments] = {"last": _last, "mean": _mean, "max": _max}


def pool(rows: Floats, text: Ints, how: str) -> Floats:
    """Pool the rows, shape (tokens, features), of each text; `text` is sorted."""
    if how == "tokens" or not len(rows):
        return rows
    return POOLINGS[how](rows, np.flatnonzero(np.diff(text, prepend=text[0] - 1)))
