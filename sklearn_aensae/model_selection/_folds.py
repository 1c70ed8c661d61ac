"""Figures of a path on held-out rows, and which of them is the best."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_aensae._warnings import warn
from sklearn_aensae.estimators import BaseSAE
from sklearn_aensae.metrics import best_explained_variance_at_l0
from sklearn_aensae.model_selection._path import iter_path, measure

__all__ = ["choose", "judge_path", "within_one_standard_error"]

Floats = NDArray[np.float64]


def judge_path(
    estimator: BaseSAE,
    X: Any,
    fold: tuple[NDArray[np.int64], NDArray[np.int64]],
    lambdas: Floats,
    warm_length: int | float,
    scorer: Callable[..., float] | None,
) -> Floats:
    """Train a path on the rows of a fold and measure it on the others.

    Returns
    -------
    figures : ndarray of shape (4, n_lambdas)
        Explained variance, L0, share of dead components, and the score.

    Raises
    ------
    KeyboardInterrupt
        If the user has stopped training.
    """
    train, test = (X[part] for part in fold)
    figures = []
    for sae in iter_path(estimator, train, lambdas, warm_length):
        if sae.net_.interrupted_:
            raise KeyboardInterrupt
        own = measure(sae, test)
        score = own.explained_variance if scorer is None else scorer(sae, test)
        figures.append([*own, score])
    return np.array(figures, dtype=np.float64).T


def choose(scores: Floats, l0: Floats, max_l0: float | None, scored: bool) -> int:
    """Return the number of the best candidate.

    Parameters
    ----------
    scores, l0 : ndarray of shape (n_candidates, n_folds)
        On held-out rows.
    max_l0 : float or None
        Mean L0 above which a candidate is out.
    scored : bool
        Whether scores are the user's own, and not explained variance, which cannot be maximal and
        sparse at a time.

    Raises
    ------
    ValueError
        If no candidate has a score in all folds.

    Warns
    -----
    UserWarning
        If some have none: these are passed over, as scikit-learn's searches do.
    """
    means = scores.mean(1)
    failed = np.isnan(means)
    if failed.all():
        raise ValueError("No strength has a score in all folds: scoring gave NaN for each.")
    if failed.any():
        count = f"{failed.sum()} of {len(means)}"
        warn(f"scoring gave NaN for {count} strengths; these are passed over.")
    if max_l0 is not None:
        best_at = best_explained_variance_at_l0(max_l0)
        results = {"mean_test_explained_variance": means, "mean_test_neg_l0": -l0.mean(1)}
        return best_at(results)
    return int(np.nanargmax(means)) if scored else within_one_standard_error(scores, l0)


def within_one_standard_error(scores: Floats, l0: Floats) -> int:
    """Return the sparsest candidate whose mean score is within a standard error of the best.

    Parameters
    ----------
    scores, l0 : ndarray of shape (n_candidates, n_folds)
        On held-out rows.

    References
    ----------
    Hastie, Tibshirani and Friedman (2009). The Elements of Statistical Learning, section 7.10.1.
    """
    means, n_folds = scores.mean(1), scores.shape[1]
    best = int(np.nanargmax(means))
    error = scores[best].std(ddof=1) / np.sqrt(n_folds) if n_folds > 1 else 0.0
    return int(np.where(means >= means[best] - error, l0.mean(1), np.inf).argmin())
