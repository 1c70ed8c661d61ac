"""The chapter shows what the studies' JSON says."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from examples import feature_starvation as chapter

sys.path.remove(str(ROOT))


def test_the_page_is_what_the_data_say(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(chapter.PAGE.read_text().replace("0.", "9."))
    monkeypatch.setattr(chapter, "PAGE", page)
    chapter.main()
    tables = [chapter.spiked_table(), chapter.initialisation_table(), chapter.front_table()]
    original = (ROOT / "docs" / "feature_starvation.md").read_text()
    assert all(table in page.read_text() and table in original for table in tables)


def test_a_span_of_one_figure():
    assert chapter.span([{"a": 1.0}, {"a": 1.001}], "a", 2, " s") == "1.00 s"
    assert chapter.span([{"a": 1.0}, {"a": 2.0}], "a", 1) == "1.0 to 2.0"
