"""The one place that imports matplotlib, when a display is drawn."""

from typing import Any

__all__ = ["axes_or_new"]


def axes_or_new(ax: Any) -> Any:
    """Return the given axes, or those of a new figure.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError('Displays need matplotlib: pip install "sklearn-aensae[plot]"') from error
    return pyplot.subplots()[1]
