"""Finds all estimators, so that tests and documentation never list them by hand."""

from inspect import isabstract
from typing import Any

__all__ = ["all_saes"]


def all_saes() -> list[tuple[str, type[Any]]]:
    """Every sparse autoencoder of the library, by name.

    Returns
    -------
    list of (str, class)
        Sorted by name; in the spirit of `sklearn.utils.discovery.all_estimators`.

    Examples
    --------
    >>> from sklearn_aensae import all_saes
    >>> [name for name, _ in all_saes()][:2]
    ['AdaptiveElasticNetSAE', 'AdaptiveLassoSAE']
    """
    from sklearn_aensae.estimators import BaseSAE

    found: dict[str, type[Any]] = {}
    pending: list[type[Any]] = [BaseSAE]
    while pending:
        for cls in pending.pop().__subclasses__():
            pending.append(cls)
            if cls.__module__.startswith("sklearn_aensae.") and not isabstract(cls):
                found[cls.__name__] = cls
    return sorted(found.items())
