"""Refit rule that picks the best explained variance among the models that are sparse enough."""

from collections.abc import Callable, Mapping
from functools import partial
from numbers import Real
from typing import Any

import numpy as np

from sklearn_aensae._warnings import warn

__all__ = ["best_explained_variance_at_l0"]


def best_explained_variance_at_l0(max_l0: float) -> Callable[[Mapping[str, Any]], int]:
    """Refit rule: the best mean explained variance among those with a mean L0 of at most `max_l0`.

    Explained variance alone prefers the densest model, L0 alone an empty one.

    Parameters
    ----------
    max_l0 : float
        Largest mean number of active codes per row, averaged over the folds.

    Returns
    -------
    refit : callable
        For the `refit` of a search whose `scoring` is `SCORERS`, or the registered strings: takes
        its `cv_results_` and returns the index of the candidate. If none is sparse enough, it
        warns and takes the sparsest; it raises `ValueError` if a score is missing. Candidates
        whose fit failed, with scores of NaN, are passed over.

    Raises
    ------
    ValueError
        If `max_l0` is not positive.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_aensae import TopKSAE
    >>> from sklearn_aensae.metrics import SCORERS, best_explained_variance_at_l0
    >>> search = GridSearchCV(
    ...     TopKSAE(64, max_epochs=2, random_state=0),
    ...     {"k": [2, 8, 32]},
    ...     scoring=SCORERS,
    ...     refit=best_explained_variance_at_l0(max_l0=10),
    ...     cv=2,
    ... )
    >>> search.fit(load_digits().data[:600]).best_params_
    {'k': 8}
    """
    if not isinstance(max_l0, Real) or isinstance(max_l0, bool) or not max_l0 > 0:
        raise ValueError(f"max_l0 must be a positive number, got {max_l0!r}.")
    # Not a closure: searches are pickled with their refit rule.
    return partial(_best_index, max_l0=max_l0)


def _best_index(cv_results: Mapping[str, Any], max_l0: float) -> int:
    """Apply the rule of `best_explained_variance_at_l0`."""
    variance = _mean_score(cv_results, "explained_variance")
    mean_l0 = -_mean_score(cv_results, "neg_l0")
    # A candidate of which one is missing has failed in some fold.
    mean_l0 = np.where(np.isnan(variance), np.nan, mean_l0)
    if np.isnan(mean_l0).all():
        raise ValueError("Every candidate's fit failed: there is no L0 to choose by.")
    if not np.any(mean_l0 <= max_l0):
        # Not an error: it would throw away the results of a search that may have taken hours.
        warn(
            f"No candidate has a mean L0 of at most {max_l0}; the sparsest, with "
            f"{np.nanmin(mean_l0):.4g}, is taken. Widen the grid or allow more.",
        )
        return int(np.nanargmin(mean_l0))
    return int(np.nanargmax(np.where(mean_l0 <= max_l0, variance, -np.inf)))


def _mean_score(cv_results: Mapping[str, Any], name: str) -> Any:
    """Find a mean test score under its own name or its registered one."""
    for key in (f"mean_test_{name}", f"mean_test_sae_{name}"):
        if key in cv_results:
            return np.asarray(cv_results[key], dtype=np.float64)
    raise ValueError(f"The search has no score {name!r}: give it scoring=SCORERS.")
