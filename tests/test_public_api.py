"""What the package exports, and that all of it is documented."""

import inspect
import subprocess
import sys

import numpy as np
import numpydoc.docscrape
import pytest
from helpers import given

import sklearn_aensae
from sklearn_aensae import all_saes

PUBLIC = [getattr(sklearn_aensae, name) for name in sklearn_aensae.__all__]
CLASSES = [thing for thing in PUBLIC if inspect.isclass(thing) and not inspect.isabstract(thing)]


def test_every_estimator_is_exported():
    missing = {name for name, _ in all_saes()} - set(sklearn_aensae.__all__)
    assert not missing, f"add to sklearn_aensae/__init__.py and estimators/__init__.py: {missing}"
    assert sorted(sklearn_aensae.__all__) == sorted(set(sklearn_aensae.__all__))


@pytest.mark.parametrize(
    "module",
    [
        "metrics",
        "model_selection",
        "datasets",
        "exceptions",
        "inspection",
        "io",
        "params",
        "recipes",
        "testing",
        "theory",
    ],
)
def test_modules_export_what_they_name(module):
    namespace = __import__(f"sklearn_aensae.{module}", fromlist=["__all__"])
    for name in namespace.__all__:
        thing = getattr(namespace, name)
        assert not callable(thing) or thing.__doc__, f"{module}.{name} has no docstring"


@pytest.mark.parametrize("module", ["metrics", "theory", "datasets", "inspection"])
def test_signatures_can_be_read(module):
    # An alias such as ArrayLike is shown as its union of a dozen types, unless annotations are kept
    # as they were written: from __future__ import annotations.
    namespace = __import__(f"sklearn_aensae.{module}", fromlist=["__all__"])
    for thing in map(vars(namespace).get, namespace.__all__):
        if inspect.isfunction(thing):
            assert len(str(inspect.signature(thing))) < 500, thing.__name__


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_documented_parameters_are_the_parameters(cls):
    documented = []
    for entry in numpydoc.docscrape.ClassDoc(cls)["Parameters"]:
        documented += [name.strip() for name in entry.name.split(",")]
    assert sorted(documented) == sorted(set(inspect.signature(cls).parameters))


@pytest.mark.parametrize(("name", "cls"), all_saes())
def test_documented_attributes_are_the_attributes(name, cls):
    documented = {a.name for a in numpydoc.docscrape.ClassDoc(cls)["Attributes"]}
    sae = cls(4, max_epochs=1)
    sae.fit(*given(sae, np.array([[0.0, 1.0], [2.0, 3.0], [1.0, 1.0]])))
    written = {a for a in vars(sae) if a.endswith("_") and not a.startswith("_")}
    assert documented - {"feature_names_in_"} == written
    assert "Examples" in cls.__doc__
    assert "arxiv" in cls.__doc__


def test_import_is_light():
    heavy = ["transformers", "matplotlib", "tokenizers", "triton"]
    code = f"import sys, sklearn_aensae; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
