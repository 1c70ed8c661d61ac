"""The chapter shows what the studies' JSON says."""

import sys
from pathlib import Path

import matplotlib.figure
import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from examples import feature_starvation as chapter

sys.path.remove(str(ROOT))


def test_the_page_is_what_the_data_say(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(chapter.PAGE.read_text().replace("0.", "9."))
    monkeypatch.setattr(chapter, "PAGE", page)
    monkeypatch.setattr(chapter, "FIGURE", tmp_path / "figure.png")
    chapter.main()
    assert plt.imread(chapter.FIGURE).shape[2] == 4
    tables = [chapter.spiked_table(), chapter.initialisation_table(), chapter.front_table()]
    tables.append(chapter.start_table())
    original = (ROOT / "docs" / "feature_starvation.md").read_text()
    assert all(table in page.read_text() and table in original for table in tables)


def test_the_figure_shows_what_has_been_run_at_three_numbers_or_more(tmp_path, monkeypatch):
    def runs(group, arm, targets):
        point = {"group": group, "estimator": arm, "not default": {}}
        return [{**point, "target": n, "runs": [{"L0": float(n), "EV": 0.5}]} for n in targets]

    drawn = []

    class Figure(matplotlib.figure.Figure):
        def savefig(self, *args, **options):
            drawn.append(self)

    monkeypatch.setattr(matplotlib.figure, "Figure", Figure)
    found = runs("a, 32x", "TopKSAE", [8, 16, 32]) + runs("a, 8x", "TopKSAE", [8, 16, 32])
    found += runs("a, 8x", "AdaptiveElasticNetSAE", [8]) + runs("b", "TopKSAE", [8, 16])
    monkeypatch.setattr(chapter, "read", lambda name: found)
    chapter.draw_fronts()
    assert [ax.get_title() for ax in drawn[0].axes] == ["a, 8x", "a, 32x"]
    lines = [[line.get_label() for line in ax.lines] for ax in drawn[0].axes]
    assert lines == [["TopKSAE", "AdaptiveElasticNetSAE"], ["TopKSAE"]]
    assert drawn[0].axes[0].lines[0].get_xdata() == pytest.approx([8, 16, 32])
    many = [f"Encoder{i}" for i in range(20)]
    found = [run for name in many for run in runs("c", name, [8, 16, 32])]
    chapter.draw_fronts()
    assert sorted(line.get_label() for line in drawn[1].axes[0].lines) == sorted(many)


def test_a_span_of_one_figure():
    assert chapter.span([{"a": 1.0}, {"a": 1.001}], "a", 2, " s") == "1.00 s"
    assert chapter.span([{"a": 1.0}, {"a": 2.0}], "a", 1) == "1.0 to 2.0"
