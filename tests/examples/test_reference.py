"""The reference is what the docstrings say, and leaves nothing out."""

import sys
from pathlib import Path

import sklearn_aensae

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from examples import reference

sys.path.remove(str(ROOT))


def test_the_page_is_what_the_docstrings_say(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(reference.PAGE.read_text())
    monkeypatch.setattr(reference, "PAGE", page)
    reference.main()
    original = (ROOT / "docs" / "reference.md").read_text()
    assert page.read_text() == original, "run python -m examples.reference"


def test_every_public_module_and_name_is_there():
    text = (ROOT / "docs" / "reference.md").read_text()
    for name in sklearn_aensae.__all__:
        one = getattr(sklearn_aensae, name)
        assert f"`{name}`" in text if callable(one) else f"## {one.__name__}\n" in text
    lines = reference.names_table(sklearn_aensae.metrics).splitlines()[2:]
    named = {line.split("`")[1] for line in lines}
    assert named == {*sklearn_aensae.metrics.__all__} - {"SCORERS"}
    assert all(len(line.split("|")) == 4 and line.split("|")[2].strip() for line in lines)


def test_attributes_are_those_that_all_have():
    lines = reference.attributes_table().splitlines()
    assert any(line.startswith("| `components_` | ndarray of shape") for line in lines)
    assert not any("adaptive_weights_" in line.split("|")[1] for line in lines[2:])
