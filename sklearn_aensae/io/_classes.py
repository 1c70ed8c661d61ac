"""The only classes that a file can name: estimators that are already imported."""

from typing import Any

from sklearn_aensae._discovery import defined_saes
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
    # Of two definitions of a name the later one counts.
    known = {class_name(cls): cls for cls in defined_saes()}
    if name not in known:
        raise LoadError(
            f"unknown class {name!r}; known are {', '.join(sorted(known))}. A class of your own is "
            "known once the module that defines it is imported."
        )
    return known[name]
