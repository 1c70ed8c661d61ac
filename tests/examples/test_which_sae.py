"""The study behind docs/which_sae.md: how it tunes, chooses and reports."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sklearn_aensae import L1SAE, BaseSAE, TopKSAE

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from examples.studies.page import fill
from examples.which_sae import __main__ as script
from examples.which_sae import page, problems, study

sys.path.remove(str(ROOT))


@pytest.fixture(scope="module")
def tiny():
    budget = replace(problems.QUICK, n_rows=300, n_held_out=50)
    return problems.tree(budget), budget


@pytest.mark.parametrize("cls", [TopKSAE, L1SAE])
def test_all_have_as_many_trials_and_runs(cls, tiny):
    found = study.study(cls, *tiny)
    assert len(found["trials"]) == len(study.LEARNING_RATES)
    assert [set(run) for run in found["runs"]] == [{"s", "L0", "EV", "dead", "recovery"}] * 3
    assert found["params"] in [trial["params"] for trial in found["trials"]]
    assert len({run["EV"] for run in found["runs"]}) == 3


def test_strengths_come_to_the_target_of_a_power_law():
    seen = []
    for _ in range(study.N_STRENGTHS):
        strength = study.next_strength(seen, target=8)
        seen.append((strength, 0.05 * strength**-1.5))
    assert seen[-1][1] == pytest.approx(8, rel=1e-6)


def test_a_strength_never_moves_far():
    assert 0.09 < study.next_strength([(0.01, 500.0)], target=8) / study.FIRST_STRENGTH / 100 < 0.11
    assert 0.0009 < study.next_strength([(0.01, 0.0)], target=8) < 0.0011


def test_the_best_near_the_target_is_chosen_or_else_the_nearest():
    trials = [
        ({"n": i}, {"L0": l0, "EV": ev}) for i, (l0, ev) in enumerate([(7, 0.5), (9, 0.6), (20, 1)])
    ]
    assert study.choose(trials, 8) == {"n": 1}
    assert study.choose(trials, 19) == {"n": 2}
    assert study.choose(trials, 100) == {"n": 2}


def test_a_training_that_diverges_is_a_trial_without_a_result(tiny, monkeypatch):

    def diverge(*args, **kwargs):
        raise study.DivergenceError("not finite")

    monkeypatch.setattr(BaseSAE, "fit", diverge)
    assert study.attempt(TopKSAE, *tiny, {"k": 2}) == study.NOTHING
    assert study.measure(TopKSAE, *tiny, {"k": 2}, 0)["EV"] == 0


def test_the_page_is_filled_and_the_best_comes_first(tmp_path):
    runs = {
        name: [{"L0": l0, "EV": ev + d, "dead": 0.0, "recovery": ev, "s": 1.0} for d in (0, 0.01)]
        for name, ev, l0 in (("Far", 0.9, 16.0), ("Worse", 0.5, 8.0), ("Better", 0.7, 9.0))
    }
    studies = [
        {"estimator": name, "target": 8, "params": {"k": 8}, "runs": found}
        for name, found in runs.items()
    ]
    text = page.table(studies)
    assert "CE recovered" not in text
    assert text.index("Better") < text.index("Worse") < text.index("`Far` (target missed)")
    assert "0.705 (0.700..0.710)" in text
    file = tmp_path / "page.md"
    file.write_text("a\n<!-- begin tree -->\nold\n<!-- end tree -->\nb\n")
    fill(file, {"tree": text})
    assert file.read_text() == f"a\n<!-- begin tree -->\n{text}\n<!-- end tree -->\nb\n"
    with pytest.raises(ValueError, match="begin spiked"):
        fill(file, {"spiked": text})


def test_a_stopped_study_goes_on_where_it_was(tmp_path, monkeypatch):
    seen = []

    def fake(cls, problem, budget):
        seen.append((problem, cls.__name__))
        run = {"L0": 8.0, "EV": 0.5, "dead": 0.0, "s": 1.0}
        return {"estimator": cls.__name__, "target": 8, "params": {"k": 8}, "runs": [run]}

    monkeypatch.setattr(script, "study", fake)
    monkeypatch.setattr(script, "PROBLEMS", {"spiked": lambda budget: "rows"})
    page_file, output = tmp_path / "page.md", tmp_path / "runs.json"
    parts = ("spiked", "provenance")
    page_file.write_text("".join(f"<!-- begin {name} -->\n<!-- end {name} -->\n" for name in parts))
    options = ["x", "--jobs", "1", "--output", str(output), "--page", str(page_file)]
    monkeypatch.setattr(sys, "argv", [*options, "--estimators", "L1SAE", "TopKSAE"])
    script.main()
    script.main()
    assert seen == [("rows", "L1SAE"), ("rows", "TopKSAE")]
    monkeypatch.setattr(sys, "argv", [*options, "--estimators", "L1SAE", "GatedSAE"])
    script.main()
    assert seen[2:] == [("rows", "GatedSAE")]
    text = page_file.read_text()
    assert text.count("| 8.0 (8.0..8.0) |") == 3
    assert "3 estimators on a data set each, 1 at a time" in text
    assert json.loads(output.read_text())["setting"]["seeds"] == [0, 1, 2]
