"""Names in files lead to known estimators and to nothing else."""

from dataclasses import dataclass

import pytest

import sklearn_aensae
from sklearn_aensae import L1SAE, all_saes
from sklearn_aensae.exceptions import LoadError
from sklearn_aensae.io._classes import class_name, find_class


@pytest.mark.parametrize(("name", "cls"), all_saes())
def test_the_library_s_classes_have_public_names(name, cls):
    assert class_name(cls) == f"sklearn_aensae.{name}"
    assert find_class(class_name(cls)) is cls
    assert getattr(sklearn_aensae, name) is cls


def test_own_classes_are_found_by_where_they_are_defined():
    def define():
        @dataclass(eq=False, repr=False, kw_only=True)
        class OwnSAE(L1SAE):
            """A variant of one's own."""

        return OwnSAE

    first = define()
    name = class_name(first)
    assert name.startswith(f"{__name__}.")
    assert find_class(name) is first
    # A cell of a notebook that is run again defines the class anew.
    second = define()
    assert find_class(name) is second
    assert first is not second


@pytest.mark.parametrize("name", ["os.system", "sklearn_aensae.BaseSAE", "TopKSAE", "", None])
def test_others_are_refused(name):
    with pytest.raises(LoadError, match=r"unknown class .*known are .*sklearn_aensae\.TopKSAE"):
        find_class(name)
