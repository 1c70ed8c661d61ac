"""Columns of the training history over the steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from sklearn.utils.validation import check_is_fitted

from sklearn_aensae.inspection._axes import axes_or_new

__all__ = ["TrainingCurveDisplay"]


@dataclass
class TrainingCurveDisplay:
    """Curves of a training history.

    Parameters
    ----------
    steps : sequence of int
        Optimiser steps.
    curves : dict of str to sequence of float
        Values at these steps, by name.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the curves were drawn.
    figure_ : matplotlib Figure
        The figure around it.
    lines_ : list of matplotlib Line2D
        The curves.

    Examples
    --------
    >>> from sklearn_aensae import L1SAE
    >>> from sklearn_aensae.datasets import make_sparse_codes
    >>> from sklearn_aensae.inspection import TrainingCurveDisplay
    >>> X, _, _ = make_sparse_codes(100, 8, 16, n_active=2, random_state=0)
    >>> display = TrainingCurveDisplay.from_estimator(L1SAE(16, max_epochs=2).fit(X))
    >>> [line.get_label() for line in display.lines_]
    ['explained_variance']
    """

    steps: Sequence[int]
    curves: dict[str, Sequence[float]]

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        columns: str | Sequence[str] = "explained_variance",
        *,
        ax: Any = None,
        label: str | None = None,
    ) -> Self:
        """Draw columns of an estimator's `history_`.

        Parameters
        ----------
        estimator : BaseSAE
            Fitted estimator.
        columns : str or sequence of str, default="explained_variance"
            Names in `history_`.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a new figure.
        label : str or None, default=None
            Put before the names of the columns in the legend.

        Returns
        -------
        display : TrainingCurveDisplay
            The display.

        Raises
        ------
        ValueError
            If the history has no such column.
        """
        check_is_fitted(estimator)
        history = estimator.history_
        columns = [columns] if isinstance(columns, str) else columns
        unknown = set(columns) - set(history)
        if unknown:
            raise ValueError(f"columns {sorted(unknown)} are not among {sorted(history)}.")
        prefix = f"{label} " if label else ""
        curves = {prefix + name: history[name] for name in columns}
        return cls(history["step"], curves).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : TrainingCurveDisplay
            This object.
        """
        self.ax_ = axes_or_new(ax)
        self.figure_ = self.ax_.figure
        self.lines_ = [
            self.ax_.plot(self.steps, values, label=name)[0] for name, values in self.curves.items()
        ]
        self.ax_.set_xlabel("optimiser step")
        self.ax_.legend()
        return self
