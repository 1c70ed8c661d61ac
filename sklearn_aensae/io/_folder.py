"""A folder with `sae.json` and `sae.safetensors`: written so that a crash leaves old or new."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from sklearn_aensae.exceptions import LoadError
from sklearn_aensae.io._encoding import decode, encode

__all__ = ["DOCUMENT", "FORMAT_VERSION", "TENSORS", "read_folder", "sync", "write_folder"]

DOCUMENT, TENSORS, NEW = "sae.json", "sae.safetensors", ".new"
FORMAT = "sklearn_aensae"
FORMAT_VERSION = 1


def write_folder(folder: Path, content: dict[str, Any]) -> None:
    """Write `content`, any tree that `encode` knows, into `folder`, or replace what is there.

    Both files are first written beside the old ones. The moment in which the new `sae.json`
    takes its name decides: it holds the checksum of the tensors that belong to it, and readers
    look under both names.

    Raises
    ------
    ValueError
        If the folder holds something else than an earlier version of the same.
    TypeError
        If `content` cannot be encoded.
    """
    tensors: dict[str, Tensor] = {}
    encoded = encode(content, tensors, "")
    _refuse_foreign(folder)
    _finish(folder)
    folder.mkdir(parents=True, exist_ok=True)
    data = save(_unshared(tensors))
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "sha256": hashlib.sha256(data).hexdigest(),
        **encoded,
    }
    _write(folder / (TENSORS + NEW), data)
    _write(folder / (DOCUMENT + NEW), _format(document).encode())
    for name in (DOCUMENT, TENSORS):
        (folder / (name + NEW)).replace(folder / name)
    sync(folder)


def read_folder(folder: Path) -> dict[str, Any]:
    """Return the content of a folder, with its tensors on the CPU.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no `sae.json` in it.
    LoadError
        If a file is damaged, missing, foreign or of a newer format.
    """
    path = folder / DOCUMENT
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(f"no saved estimator in {folder}: {path} is missing.") from error
    document = _parse(path, text)
    tensors = _read_tensors(folder, document.pop("sha256", None))
    try:
        content: dict[str, Any] = decode(document, tensors)
    except (KeyError, TypeError, ValueError) as error:
        raise LoadError(f"{path} does not fit {TENSORS} beside it: {error!r}.") from error
    if tensors:
        raise LoadError(f"{folder / TENSORS} holds tensors not named in {path}: {[*tensors]}.")
    return content


def sync(folder: Path) -> None:
    """Make the names in a folder survive a power cut, where the system can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _format(document: dict[str, Any]) -> str:
    """Return strict JSON with one line per entry, to be read by eye."""
    lines = (f"{json.dumps(k)}: {json.dumps(v, allow_nan=False)}" for k, v in document.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _write(path: Path, data: bytes) -> None:
    """Write a file through to the disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _unshared(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors, each in memory of its own, as safetensors wants them."""
    seen: set[int] = set()
    result = {}
    for name, tensor in tensors.items():
        storage = tensor.untyped_storage()
        whole = storage.nbytes() == tensor.nbytes
        result[name] = tensor if whole and storage.data_ptr() not in seen else tensor.clone()
        seen.add(storage.data_ptr())
    return result


def _refuse_foreign(folder: Path) -> None:
    """Refuse to write where something else lies."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"path={str(folder)!r} is a file; give the name of a folder.")
    names = {entry.name for entry in folder.iterdir()} if folder.exists() else set()
    # A save that was killed leaves files under their temporary names only.
    if names <= {TENSORS + NEW, DOCUMENT + NEW}:
        return
    try:
        _parse(folder / DOCUMENT, (folder / DOCUMENT).read_bytes())
    except (OSError, LoadError) as error:
        # That there is no such file is what "no saved estimator" says.
        reason = "" if isinstance(error, FileNotFoundError) else f" ({error})"
        raise ValueError(
            f"path={str(folder)!r} is not empty and holds no saved estimator, so nothing was "
            f"written{reason}. Give the name of a new folder."
        ) from error


def _finish(folder: Path) -> None:
    """Give tensors their name that a killed save has left under the temporary one."""
    waiting = folder / (TENSORS + NEW)
    if waiting.exists() and (folder / DOCUMENT).exists():
        document = _parse(folder / DOCUMENT, (folder / DOCUMENT).read_bytes())
        if hashlib.sha256(waiting.read_bytes()).hexdigest() == document.get("sha256"):
            waiting.replace(folder / TENSORS)


def _parse(path: Path, text: bytes) -> dict[str, Any]:
    """Return the document, checked to be one of ours and of a version that we know."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise LoadError(f"{path} is damaged: {error}.") from error
    if not isinstance(document, dict) or document.pop("format", None) != FORMAT:
        raise LoadError(f"{path} was not written by sklearn_aensae.")
    version = document.pop("format_version", None)
    if version != FORMAT_VERSION:
        raise LoadError(
            f"{path} has format version {version!r}; this version of sklearn_aensae reads "
            f"{FORMAT_VERSION}. A newer one may be needed."
        )
    return document


def _read_tensors(folder: Path, checksum: Any) -> dict[str, Tensor]:
    """Return the tensors whose checksum the document holds."""
    found = []
    # After a crash between the last two renamings, the tensors have their temporary name.
    for path in (folder / TENSORS, folder / (TENSORS + NEW)):
        if not path.exists():
            continue
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != checksum:
            found.append(f"{path} is damaged or belongs to another {DOCUMENT}: {len(data)} bytes")
            continue
        try:
            return load(data)
        except SafetensorError as error:
            raise LoadError(f"{path} is damaged: {error}.") from error
    raise LoadError("; ".join(found or [f"{folder / TENSORS} is missing"]) + ".")
