"""A crash at any moment of writing leaves the old content or the new one."""

import json
from contextlib import suppress

import pytest
import torch
from helpers import Crash, CrashAt

from sklearn_aensae.exceptions import LoadError
from sklearn_aensae.io import _folder
from sklearn_aensae.io._folder import read_folder, write_folder


def content(value):
    return {"value": value, "state": {"x": torch.full((3,), float(value))}}


def assert_holds(folder, value):
    found = read_folder(folder)
    assert found["value"] == value
    assert torch.equal(found["state"]["x"], torch.full((3,), float(value)))


def test_round_trip(tmp_path):
    write_folder(tmp_path / "a" / "b", content(1))
    assert_holds(tmp_path / "a" / "b", 1)
    assert {p.name for p in (tmp_path / "a" / "b").iterdir()} == {"sae.json", "sae.safetensors"}


def test_files_are_as_readable_as_others(tmp_path):
    write_folder(tmp_path / "a", content(1))
    (tmp_path / "other").touch()
    modes = {p.stat().st_mode for p in (tmp_path / "a").iterdir()}
    assert modes == {(tmp_path / "other").stat().st_mode}


def test_tensors_that_share_memory_are_kept_apart(tmp_path):
    x = torch.arange(6.0)
    write_folder(tmp_path / "a", {"x": x, "again": x, "part": x[2:4]})
    found = read_folder(tmp_path / "a")
    assert torch.equal(found["again"], x)
    assert torch.equal(found["part"], x[2:4])


@pytest.mark.parametrize("number", range(5))
def test_a_crash_while_replacing_leaves_old_or_new(tmp_path, monkeypatch, number):
    folder = tmp_path / "a"
    write_folder(folder, content(1))
    with monkeypatch.context() as patch, pytest.raises(Crash):
        CrashAt(patch, number)
        write_folder(folder, content(2))
    # Once the new document has its name, the new version counts.
    assert_holds(folder, 1 if number < 3 else 2)
    write_folder(folder, content(3))
    assert_holds(folder, 3)
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("second", range(6))
def test_two_crashes_in_a_row_leave_something_whole(tmp_path, monkeypatch, number, second):
    folder = tmp_path / "a"
    write_folder(folder, content(1))
    with monkeypatch.context() as patch, pytest.raises(Crash):
        CrashAt(patch, number)
        write_folder(folder, content(2))
    before = read_folder(folder)["value"]
    with monkeypatch.context() as patch, suppress(Crash):
        CrashAt(patch, second)
        write_folder(folder, content(3))
    after = read_folder(folder)["value"]
    assert after in (before, 3)
    assert_holds(folder, after)


@pytest.mark.parametrize("number", range(5))
def test_a_crash_in_the_first_writing_leaves_nothing_or_all(tmp_path, monkeypatch, number):
    folder = tmp_path / "a"
    with monkeypatch.context() as patch, pytest.raises(Crash):
        CrashAt(patch, number)
        write_folder(folder, content(1))
    if number < 3:
        with pytest.raises(FileNotFoundError):
            read_folder(folder)
    else:
        assert_holds(folder, 1)
    write_folder(folder, content(2))
    assert_holds(folder, 2)


def test_a_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(
        ValueError, match=r"holds no saved estimator, so nothing was written\. Give"
    ):
        write_folder(tmp_path, content(1))
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]
    (tmp_path / "sae.json").write_text(json.dumps({"format": "saelens"}))
    with pytest.raises(ValueError, match="not written by sklearn_aensae"):
        write_folder(tmp_path, content(1))
    with pytest.raises(ValueError, match="is a file"):
        write_folder(tmp_path / "thesis.tex", content(1))


def test_nothing_there(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(FileNotFoundError, match=r"sae\.json is missing"):
            read_folder(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format="other"), "not written by sklearn_aensae"),
        (lambda d: d.pop("format"), "not written by sklearn_aensae"),
        (lambda d: d.update(format_version=99), "format version 99; this version .* reads 1"),
        (lambda d: d.update(sha256="0"), r"sae\.safetensors is damaged or belongs to another"),
        (lambda d: d.update(more={"$tensor": "y"}), r"does not fit sae\.safetensors.*'y'"),
        (lambda d: d.update(more={"$eval": "1"}), r"unknown tag '\$eval'"),
        (lambda d: d.pop("state"), r"sae\.safetensors holds tensors not named in .*state\.x"),
    ],
)
def test_edited_documents_are_refused(tmp_path, change, message):
    write_folder(tmp_path, content(1))
    document = json.loads((tmp_path / "sae.json").read_text())
    change(document)
    (tmp_path / "sae.json").write_text(json.dumps(document))
    with pytest.raises(LoadError, match=message):
        read_folder(tmp_path)


def test_every_truncation_is_noticed(tmp_path):
    write_folder(tmp_path, content(1))
    for name in ("sae.json", "sae.safetensors"):
        whole = (tmp_path / name).read_bytes()
        for length in range(0, len(whole) - 2, 7):
            (tmp_path / name).write_bytes(whole[:length])
            with pytest.raises(LoadError, match=rf"{name} is damaged"):
                read_folder(tmp_path)
        (tmp_path / name).write_bytes(whole)
    flipped = bytearray(whole)
    flipped[-1] ^= 1
    (tmp_path / name).write_bytes(flipped)
    with pytest.raises(LoadError, match="is damaged"):
        read_folder(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(LoadError, match="is missing"):
        read_folder(tmp_path)


def test_not_safetensors_though_the_checksum_fits(tmp_path, monkeypatch):
    monkeypatch.setattr(_folder, "save", lambda tensors: b"not safetensors")
    write_folder(tmp_path / "a", content(1))
    with pytest.raises(LoadError, match=r"sae\.safetensors is damaged"):
        read_folder(tmp_path / "a")


def test_the_document_is_strict_json_with_a_line_per_entry(tmp_path):
    write_folder(tmp_path / "a", {"history": [float("nan"), 1.0]})
    text = (tmp_path / "a" / "sae.json").read_text()
    assert "NaN" not in text
    assert len(text.splitlines()) == 2 + len(json.loads(text))
