"""The tables of docs/reference.md: every public name, with the first line of its docstring.

python -m examples.reference
"""

import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from numpydoc.docscrape import NumpyDocString

import sklearn_aensae
from examples.studies.page import fill, markdown
from sklearn_aensae import datasets, exceptions, inspection, metrics, theory

PAGE = Path(__file__).parents[1] / "docs" / "reference.md"
MODULES = {
    "estimators and functions": sklearn_aensae,
    "metrics": metrics,
    "theory": theory,
    "datasets": datasets,
    "inspection": inspection,
    "exceptions": exceptions,
}


def names_table(module: ModuleType) -> str:
    """Return a line for each public class and function of a module."""
    found = {name: getattr(module, name) for name in sorted(module.__all__, key=str.lower)}
    rows = [[f"`{name}`", summary(one)] for name, one in found.items() if callable(one)]
    return markdown([["name", "what it is"], *rows])


def summary(one: Any) -> str:
    """Return the first line of a docstring."""
    first = (inspect.getdoc(one) or "").split("\n\n")[0]
    return re.sub(r":\w+:`(\w+)`", r"`\1`", first).replace("\n", " ").replace("``", "`")


def attributes_table() -> str:
    """Return a line for each fitted attribute that all estimators have."""
    shared = set.intersection(*(set(attributes(cls)) for _, cls in sklearn_aensae.all_saes()))
    known = attributes(sklearn_aensae.L1SAE)
    rows = [[f"`{name}`", *known[name]] for name in known if name in shared]
    return markdown([["attribute", "type", "what it is"], *rows])


def attributes(cls: type) -> dict[str, tuple[str, str]]:
    """Return types and descriptions from the section of a docstring."""
    found = {}
    for parameter in NumpyDocString(inspect.getdoc(cls))["Attributes"]:
        text = " ".join(parameter.desc)
        found |= {name: (parameter.type, text) for name in parameter.name.split(", ")}
    return found


def main() -> None:
    """Fill the page."""
    tables = {name: names_table(module) for name, module in MODULES.items()}
    fill(PAGE, {**tables, "attributes": attributes_table()})


if __name__ == "__main__":
    main()
