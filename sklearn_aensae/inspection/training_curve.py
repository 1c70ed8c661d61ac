"""Columns of the training history over the steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from sklearn.utils.validation import check_is_fitted

from sklearn_aensae.inspection._axes import axes_for

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
    axes_ : list of matplotlib Axes
        Where each curve was drawn.
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
        ax : matplotlib Axes, sequence of Axes or None, default=None
            Where to draw: one for all curves, or one for each. None makes a new figure with a
            panel for each, as what a history holds differs by orders of magnitude.
        label : str or None, default=None
            Put before the names of the columns in the legend.

        Returns
        -------
        display : TrainingCurveDisplay
            The display.

        Raises
        ------
        ValueError
            If there are no columns, the history has no such column, or there is another number of
            axes than of columns.
        """
        check_is_fitted(estimator)
        history = estimator.history_
        columns = [columns] if isinstance(columns, str) else [*columns]
        if not columns:
            raise ValueError(f"columns is empty: name one or more of {sorted(history)}.")
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
        ax : matplotlib Axes, sequence of Axes or None, default=None
            Where to draw: one for all curves, or one for each. None makes a new figure with a
            panel for each.

        Returns
        -------
        display : TrainingCurveDisplay
            This object.

        Raises
        ------
        ValueError
            If there is another number of axes than of curves.
        """
        self.axes_ = axes_for(len(self.curves), ax)
        self.figure_ = self.axes_[0].figure
        self.lines_ = []
        for (name, values), panel in zip(self.curves.items(), self.axes_, strict=True):
            self.lines_ += panel.plot(self.steps, values, label=name)
            panel.set_xlabel("optimiser step")
            panel.legend()
        return self
