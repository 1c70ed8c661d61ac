"""Texts that every machine has: the sources of Python's standard library, split by module."""

import sysconfig
import tokenize
import zlib
from pathlib import Path
from typing import Literal, overload

_TEST_FOLDERS = {"test", "tests", "idle_test"}
_FOREIGN_FOLDERS = {"site-packages", "dist-packages", "__pycache__"}
# Tables rather than writing: character maps, and the language reference as one dictionary.
_TABLES = {"encodings", "pydoc_data"}
# Records of how one interpreter was built, with the paths of the machine that built it.
_BUILD_RECORDS = ("config-", "_sysconfigdata")
_HELD_OUT_ONE_IN = 10


@overload
def load_stdlib_texts(
    subset: Literal["train", "test", "all"] = ..., *, return_names: Literal[False] = ...
) -> list[str]: ...


@overload
def load_stdlib_texts(
    subset: Literal["train", "test", "all"] = ..., *, return_names: Literal[True]
) -> tuple[list[str], list[str]]: ...


def load_stdlib_texts(
    subset: Literal["train", "test", "all"] = "train", *, return_names: bool = False
) -> list[str] | tuple[list[str], list[str]]:
    """Load the sources of the running interpreter's standard library, one text per module.

    A module belongs to the test set when the CRC-32 of its top-level name (``"json"`` for
    ``json.decoder``) is a multiple of 10. A package therefore never straddles the split, and a
    module that two versions of Python share lies on the same side in both.

    Left out: test folders, installed packages, records of the interpreter's build, empty files,
    and the packages ``encodings`` and ``pydoc_data``, which hold tables rather than code.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        Which side of the split to load.
    return_names : bool, default=False
        Also return the modules' dotted names.

    Returns
    -------
    texts : list of str
        The sources, in alphabetical order of the modules' names.
    names : list of str
        The dotted names, such as ``"json.decoder"``. Only if ``return_names`` is true.

    Raises
    ------
    ValueError
        If ``subset`` is none of the three.
    FileNotFoundError
        If the interpreter ships its standard library without sources.

    Examples
    --------
    >>> from sklearn_aensae.datasets import load_stdlib_texts
    >>> texts, names = load_stdlib_texts("test", return_names=True)
    >>> "pickle" in names, "json.decoder" in names
    (True, False)
    >>> "class Fraction(" in texts[names.index("fractions")]
    True
    """
    if subset not in ("train", "test", "all"):
        raise ValueError(f"subset must be 'train', 'test' or 'all', got {subset!r}")
    files = _source_files(Path(sysconfig.get_paths()["stdlib"]))
    names = [name for name in files if subset in ("all", _side(name))]
    texts = [_read(files[name]) for name in names]
    return (texts, names) if return_names else texts


def _source_files(root: Path) -> dict[str, Path]:
    """Map dotted module names to files under ``root``, in alphabetical order."""
    files = {_module_name(path.relative_to(root)): path for path in _wanted(root)}
    if not files:
        raise FileNotFoundError(
            f"this interpreter ships no sources of its standard library: no .py files in {root}"
        )
    return dict(sorted(files.items()))


def _wanted(root: Path) -> list[Path]:
    """List the non-empty source files under ``root`` that are worth reading."""
    return [
        path
        for path in root.rglob("*.py")
        # A link may lead nowhere.
        if _is_wanted(path.relative_to(root).parts) and path.is_file() and path.stat().st_size
    ]


def _is_wanted(parts: tuple[str, ...]) -> bool:
    """Tell whether no part of a relative path is on one of the lists above."""
    unwanted = _TEST_FOLDERS | _FOREIGN_FOLDERS
    return (
        unwanted.isdisjoint(parts)
        and parts[0] not in _TABLES
        and not parts[0].startswith(_BUILD_RECORDS)
    )


def _module_name(path: Path) -> str:
    """Turn ``json/decoder.py`` into ``json.decoder`` and ``json/__init__.py`` into ``json``."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _side(name: str) -> Literal["train", "test"]:
    """Say which side of the split a module lies on, from its top-level name alone."""
    top_level = name.partition(".")[0]
    return "train" if zlib.crc32(top_level.encode()) % _HELD_OUT_ONE_IN else "test"


def _read(path: Path) -> str:
    """Decode a source file as Python would, by its coding line."""
    with tokenize.open(path) as file:
        return file.read()
