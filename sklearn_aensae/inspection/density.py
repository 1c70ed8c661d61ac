"""How often features fire: the histogram of their densities."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from sklearn_aensae.inspection._axes import axes_for

__all__ = ["FeatureDensityDisplay"]


@dataclass
class FeatureDensityDisplay:
    """Histogram of feature densities on a logarithmic axis; dead features stand in the legend.

    Parameters
    ----------
    density : array-like of shape (n_components,)
        Share of rows in which each component is active.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the histogram was drawn.
    figure_ : matplotlib Figure
        The figure around it.
    counts_ : ndarray of shape (n_bins,)
        Number of features in each bin.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aensae.inspection import FeatureDensityDisplay
    >>> display = FeatureDensityDisplay(np.array([0.0, 0.01, 0.1, 0.1])).plot(bins=2)
    >>> display.counts_.astype(int).tolist()
    [1, 2]
    """

    density: ArrayLike

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, label: str | None = None) -> Self:
        """Draw an estimator's `feature_density_`.

        Parameters
        ----------
        estimator : BaseSAE
            Fitted estimator.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a new figure.
        label : str or None, default=None
            Name in the legend.

        Returns
        -------
        display : FeatureDensityDisplay
            The display.
        """
        check_is_fitted(estimator)
        return cls(estimator.feature_density_).plot(ax=ax, label=label)

    def plot(self, *, ax: Any = None, label: str | None = None, bins: int = 40) -> Self:
        """Draw the histogram.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a new figure.
        label : str or None, default=None
            Name in the legend.
        bins : int, default=40
            Number of bins, of equal width in the logarithm.

        Returns
        -------
        display : FeatureDensityDisplay
            This object.
        """
        (self.ax_,) = axes_for(1, ax)
        self.figure_ = self.ax_.figure
        density = np.asarray(self.density)
        alive = np.log10(density[density > 0])
        silent = len(density) - len(alive)
        name = " ".join(filter(None, [label, f"({silent} silent)" if silent else None]))
        self.counts_, _, _ = self.ax_.hist(alive, bins=bins, histtype="step", label=name or None)
        self.ax_.set_xlabel("log10 of the share of rows in which a feature fires")
        self.ax_.set_ylabel("features")
        if name:
            self.ax_.legend()
        return self
