"""Scorers: how a fitted autoencoder is judged in cross-validation."""

from collections.abc import Callable
from typing import Any, TypeAlias

from sklearn_aensae.metrics.sparsity import dead_share, l0

__all__ = [
    "SCORERS",
    "explained_variance_scorer",
    "get_scorer",
    "neg_dead_share_scorer",
    "neg_l0_scorer",
]

Scorer: TypeAlias = Callable[..., float]


def explained_variance_scorer(estimator: Any, X: Any, y: Any = None) -> float:
    """Explained variance of held-out rows, by the estimator's own `score`.

    Parameters
    ----------
    estimator : fitted sparse autoencoder, or a pipeline that ends in one
        In a pipeline, variance is that of the autoencoder's input: of the scaled data after a
        scaler, of the activations after a language model.
    X : array-like of shape (n_samples, n_features), or what the first step of a pipeline takes
        Held-out data.
    y : object, optional
        Passed on to `score`.

    Returns
    -------
    score : float
        At most 1; higher is better.

    See Also
    --------
    sklearn_aensae.metrics.explained_variance : The metric.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import TopKSAE
    >>> from sklearn_aensae.metrics import explained_variance_scorer
    >>> X = load_digits().data
    >>> sae = TopKSAE(64, k=8, max_epochs=2, random_state=0).fit(X[:500])
    >>> explained_variance_scorer(sae, X[500:]) == sae.score(X[500:])
    True
    """
    return float(estimator.score(X, y))


def neg_l0_scorer(estimator: Any, X: Any, y: Any = None) -> float:
    """Minus the mean number of active codes per held-out row.

    Parameters
    ----------
    estimator : fitted sparse autoencoder, or a pipeline that ends in one
        Its `transform` returns codes, dense or sparse.
    X : array-like of shape (n_samples, n_features), or what the first step of a pipeline takes
        Held-out data.
    y : None
        Ignored, present for scikit-learn.

    Returns
    -------
    score : float
        At most 0; higher, that is sparser, is better.

    See Also
    --------
    sklearn_aensae.metrics.l0 : The metric.

    Examples
    --------
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_aensae.metrics import neg_l0_scorer
    >>> X = [[0.0, 1.0], [3.0, 4.0], [1.0, 2.5]]
    >>> neg_l0_scorer(PCA(n_components=2).fit(X), X)
    -2.0
    """
    # Not minus the number: that of 0 is -0.
    return 0.0 - l0(estimator.transform(X))


def neg_dead_share_scorer(estimator: Any, X: Any, y: Any = None) -> float:
    """Minus the share of the components that are silent in every held-out row.

    The share depends on the number of rows: scores compare between estimators that were
    judged on folds of one size.

    Parameters
    ----------
    estimator : fitted sparse autoencoder, or a pipeline that ends in one
        Its `transform` returns codes, dense or sparse.
    X : array-like of shape (n_samples, n_features), or what the first step of a pipeline takes
        Held-out data.
    y : None
        Ignored, present for scikit-learn.

    Returns
    -------
    score : float
        Between -1 and 0; higher is better.

    See Also
    --------
    sklearn_aensae.metrics.dead_share : The metric.

    Examples
    --------
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from sklearn_aensae.metrics import neg_dead_share_scorer
    >>> identity = FunctionTransformer()
    >>> neg_dead_share_scorer(identity, [[1.0, 0.0], [2.0, 0.0]])
    -0.5
    """
    return 0.0 - dead_share(estimator.transform(X))


SCORERS: dict[str, Scorer] = {
    "explained_variance": explained_variance_scorer,
    "neg_l0": neg_l0_scorer,
    "neg_dead_share": neg_dead_share_scorer,
}
"""Every scorer by name; as it stands, a multi-metric `scoring=` of scikit-learn."""


def get_scorer(name: str) -> Scorer:
    """Return the scorer of this name.

    Parameters
    ----------
    name : {"explained_variance", "neg_l0", "neg_dead_share"}
        A key of `SCORERS`.

    Returns
    -------
    scorer : callable
        Called as ``scorer(estimator, X, y=None)``.

    Raises
    ------
    ValueError
        If there is no such scorer.

    See Also
    --------
    register_scorers : For strings in `scoring=` itself.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_aensae.metrics import get_scorer
    >>> search = GridSearchCV(PCA(), {"n_components": [1, 2]}, scoring=get_scorer("neg_l0"))
    """
    if not isinstance(name, str) or name not in SCORERS:
        raise ValueError(f"There is no scorer named {name!r}; names are {sorted(SCORERS)}.")
    return SCORERS[name]
