"""The standard library as a corpus: what is in it, and a split that never cuts a package."""

import inspect
import json.decoder
import sysconfig

import pytest

from sklearn_aensae.datasets import load_stdlib_texts

# The modules that every supported version of Python has, on the side where they must stay.
HELD_OUT = {"calendar", "copy", "ctypes", "datetime", "dis", "fractions", "pickle", "tarfile"}
TRAINING = {"argparse", "ast", "asyncio", "email", "json", "os", "typing", "unittest"}


def _names(subset):
    return load_stdlib_texts(subset, return_names=True)[1]


def _top_level(names):
    return {name.partition(".")[0] for name in names}


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Stand a folder in for the standard library."""
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})

    def write(path, source):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(source)

    return write


def test_the_text_is_the_source():
    texts, names = load_stdlib_texts("train", return_names=True)
    assert texts[names.index("json.decoder")] == inspect.getsource(json.decoder)
    assert texts[names.index("json")] == inspect.getsource(json)
    assert texts == load_stdlib_texts()


def test_the_sides_are_disjoint_and_make_up_the_whole():
    train, test = _names("train"), _names("test")
    assert _top_level(train).isdisjoint(_top_level(test))
    assert sorted(train + test) == _names("all")


def test_the_sides_do_not_depend_on_the_version():
    assert _top_level(_names("test")) >= HELD_OUT
    assert _top_level(_names("train")) >= TRAINING


def test_a_tenth_is_held_out():
    train, test = ("".join(load_stdlib_texts(subset)) for subset in ("train", "test"))
    assert 0.05 < len(test) / len(train + test) < 0.15


def test_order_is_alphabetical_and_names_are_unique():
    names = _names("all")
    assert names == sorted(set(names))


def test_no_tests_no_tables_no_installed_packages():
    parts = {part for name in _names("all") for part in name.split(".")}
    assert parts.isdisjoint({"test", "tests", "idle_test", "site-packages", "dist-packages"})
    assert parts.isdisjoint({"encodings", "pydoc_data", "numpy"})
    assert not any(part.startswith(("_sysconfigdata", "config-")) for part in parts)


def test_what_is_left_out(library, tmp_path):
    for path in (
        "test/test_os.py",
        "unittest/test/case.py",
        "site-packages/numpy/core.py",
        "encodings/cp437.py",
        "_sysconfigdata__linux.py",
        "config-3.11-linux/python-config.py",
    ):
        library(path, b"left = out\n")
    library("package/__init__.py", b"")
    (tmp_path / "sitecustomize.py").symlink_to(tmp_path / "nowhere.py")
    library("package/module.py", b"kept = True\n")
    texts, names = load_stdlib_texts("all", return_names=True)
    assert (texts, names) == (["kept = True\n"], ["package.module"])


def test_coding_lines_are_obeyed(library):
    library("old.py", "# coding: latin-1\nname = 'Löwis'\n".encode("latin-1"))
    assert load_stdlib_texts("all") == ["# coding: latin-1\nname = 'Löwis'\n"]


def test_unknown_subset():
    with pytest.raises(ValueError, match="subset must be 'train', 'test' or 'all', got 'dev'"):
        load_stdlib_texts("dev")


def test_an_interpreter_without_sources(library, tmp_path):
    with pytest.raises(FileNotFoundError, match=f"no sources .* no .py files in {tmp_path}"):
        load_stdlib_texts()
