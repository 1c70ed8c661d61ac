"""The one place that imports matplotlib, when a display is drawn."""

from collections.abc import Iterable
from typing import Any

import numpy as np

__all__ = ["axes_for"]

PANEL = (4.8, 3.6)
"""Inches."""


def axes_for(n_panels: int, ax: Any) -> list[Any]:
    """Return axes for each of `n_panels`: the one given for all, those given, or new ones in a row.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If there is another number of axes than of panels.
    """
    if ax is None:
        size = (PANEL[0] * n_panels, PANEL[1])
        grid = {"squeeze": False, "figsize": size, "layout": "constrained"}
        return list(_pyplot().subplots(1, n_panels, **grid)[1][0])
    axes = [*np.array(ax, dtype=object).flat] if isinstance(ax, Iterable) else [ax] * n_panels
    if len(axes) != n_panels:
        raise ValueError(f"ax has {len(axes)} axes for {n_panels} curves: pass one, or one each.")
    return axes


def _pyplot() -> Any:
    """Import matplotlib, or say how to get it."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError('Displays need matplotlib: pip install "sklearn-aensae[plot]"') from error
    return pyplot
