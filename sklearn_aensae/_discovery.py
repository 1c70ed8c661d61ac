"""Finds all estimators, so that tests and documentation never list them by hand."""

from collections.abc import Iterator
from inspect import isabstract
from typing import Any

__all__ = ["all_saes", "defined_saes"]


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
    ours = (cls for cls in defined_saes() if cls.__module__.startswith("sklearn_aensae."))
    return sorted({cls.__name__: cls for cls in ours}.items())


def defined_saes() -> Iterator[type[Any]]:
    """Yield every class that can be fitted and has been defined so far, users' own included."""
    from sklearn_aensae.estimators import BaseSAE

    pending: list[type[Any]] = [BaseSAE]
    while pending:
        for cls in pending.pop().__subclasses__():
            pending.append(cls)
            if not isabstract(cls):
                yield cls
