"""Opt-in registration that lets scikit-learn's `scoring=` take our scorers as strings."""

from typing import Any

from sklearn import metrics, model_selection

from sklearn_aensae.metrics.scorers import SCORERS

__all__ = ["register_scorers"]


def register_scorers() -> list[str]:
    """Let scikit-learn's `scoring=` take our scorers as strings.

    The names are ``"sae_explained_variance"``, ``"sae_neg_l0"`` and ``"sae_neg_dead_share"``;
    they hold for every search and validation function of :mod:`sklearn.model_selection`, alone or
    in a list. scikit-learn has no public registry of scorers: this writes into its private one
    and into the lists of allowed strings, for the whole process, and is therefore never done on
    import. Without it, pass a callable, ``get_scorer("neg_l0")``, or all of `SCORERS`.

    Returns
    -------
    names : list of str
        The names that are now valid. Call again after enabling an experimental search.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn_aensae.metrics import register_scorers
    >>> register_scorers()
    ['sae_explained_variance', 'sae_neg_l0', 'sae_neg_dead_share']
    >>> cross_val_score(PCA(n_components=2), load_iris().data, scoring="sae_neg_l0", cv=2)
    array([-2., -2.])
    """
    from sklearn.metrics._scorer import _SCORERS

    registered = {f"sae_{name}": scorer for name, scorer in SCORERS.items()}
    _SCORERS.update(registered)
    # Each consumer froze the set of valid names when scikit-learn was imported.
    for consumer in [metrics.check_scoring, *vars(model_selection).values()]:
        for constraint in _scoring_constraints(consumer):
            if "r2" in getattr(constraint, "options", ()):
                constraint.options.update(registered)
    return list(registered)


def _scoring_constraints(consumer: Any) -> Any:
    """Return what scikit-learn allows as `scoring` of a class or function."""
    constraints = getattr(
        consumer, "_parameter_constraints", getattr(consumer, "_skl_parameter_constraints", {})
    )
    return constraints.get("scoring", ())
