"""The only classes that a file can name: estimators that are already imported."""

from inspect import isabstract
from typing import Any

from sklearn_aensae.exceptions import LoadError

__all__ = ["class_name", "find_class"]

LIBRARY = "sklearn_aensae"


def class_name(cls: type[Any]) -> str:
    """Return the name under which a class is saved."""
    # Where in the library an estimator lives may change; the public name does not.
    ours = cls.__module__.startswith(f"{LIBRARY}.")
    return f"{LIBRARY if ours else cls.__module__}.{cls.__qualname__}"


def find_class(name: Any) -> type[Any]:
    """Return the estimator of that name; nothing is imported.

    Raises
    ------
    LoadError
        If no class of that name has been defined.
    """
    known = _known_classes()
    if name not in known:
        raise LoadError(
            f"unknown class {name!r}; known are {', '.join(sorted(known))}. A class of your own is "
            "known once the module that defines it is imported."
        )
    return known[name]


def _known_classes() -> dict[str, type[Any]]:
    """Return all concrete estimators by name; of two definitions the later one counts."""
    from sklearn_aensae.estimators import BaseSAE

    found: dict[str, type[Any]] = {}
    pending: list[type[Any]] = [BaseSAE]
    while pending:
        for cls in pending.pop().__subclasses__():
            pending.append(cls)
            if not isabstract(cls):
                found[class_name(cls)] = cls
    return found
