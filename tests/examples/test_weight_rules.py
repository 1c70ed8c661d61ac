"""The study behind docs/weight_rules.md: its rules, its record and its tables."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sklearn_aensae import AdaptiveElasticNetSAE

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from examples.studies import record
from examples.weight_rules import __main__ as script
from examples.weight_rules import page, rules, study
from examples.weight_rules.problems import PROBLEMS
from examples.which_sae import problems

sys.path.remove(str(ROOT))

BUDGET = replace(problems.QUICK, n_rows=300, n_held_out=50, steps=12, batch_size=64)
TINY = study.Setting(BUDGET, (0,))


def run(rule, ev, seed=0, problem="tree", l0=8.0, **figures):
    return {
        "problem": problem, "rule": rule, "seed": seed, "target": 8, "L0": l0, "EV": ev,
        "dead": 0.0, "pinned": 0.0, "lambda_1": 0.01, "s": 1.0, **figures,
    }  # fmt: skip


def test_ours_are_the_defaults_and_each_rule_is_another():
    fields = AdaptiveElasticNetSAE.__dataclass_fields__
    assert {name: fields[name].default for name in rules.OURS} == rules.OURS
    different = {json.dumps(rule, sort_keys=True) for rule in rules.RULES.values()}
    assert len(different) == len(rules.RULES) == 12
    assert all(AdaptiveElasticNetSAE(**rule) for rule in rules.RULES.values())


@pytest.mark.filterwarnings("ignore:target_l0=.* was missed")
def test_a_run_is_measured_on_held_out_rows():
    whole = problems.tree(BUDGET)
    problem = study.prepared(whole, 40)
    assert (len(problem.train), len(problem.validation)) == (310, 40)
    assert {*map(tuple, problem.train), *map(tuple, problem.validation)} == {
        *map(tuple, whole.train), *map(tuple, whole.validation)
    }  # fmt: skip
    found = study.measure("paper", problem, 0, TINY)
    assert set(found) == set(run("paper", 0.5, recovery=1.0))
    assert 0 < found["L0"] < problem.n_components
    assert found["lambda_1"] != TINY.lambda_1
    assert problem.activations is None


@pytest.mark.filterwarnings("ignore:target_l0=.* was missed")
def test_the_whole_way_and_a_study_that_goes_on(tmp_path, monkeypatch, capsys):
    file, text = tmp_path / "found.json", tmp_path / "page.md"
    names = ["ranking", "provenance", *PROBLEMS]
    text.write_text("\n".join(f"<!-- begin {n} -->\n<!-- end {n} -->" for n in names))
    monkeypatch.setattr(script, "QUICK", TINY)
    arguments = ["--quick", "--jobs", "1", "--problems", "tree", "--output", str(file)]
    monkeypatch.setattr(sys, "argv", ["weight_rules", *arguments, "--page", str(text)])
    script.main()
    content = json.loads(file.read_text())
    assert {r["rule"] for r in content["runs"]} == set(rules.RULES)
    assert content["sessions"][0]["versions"]["torch"]
    assert "paper, corrected" in text.read_text() and "12 runs of 12 steps" in text.read_text()
    content["runs"] = content["runs"][:-1]
    file.write_text(json.dumps(content))
    seen = []
    measure = study.measure
    monkeypatch.setattr(script, "measure", lambda *args: seen.append(args[0]) or measure(*args))
    script.main()
    assert len(seen) == 1
    assert len(json.loads(file.read_text())["runs"]) == 12
    assert "ranking" in capsys.readouterr().out


def test_runs_of_another_setting_are_refused(tmp_path):
    first = record.Record(tmp_path / "a.json", TINY.as_json(), {})
    first.add(run("ours", 0.5))
    assert first.has(problem="tree", seed=0) and not first.has(problem="tree", seed=1)
    with pytest.raises(ValueError, match="another setting: seeds was"):
        record.Record(tmp_path / "a.json", replace(TINY, seeds=(0, 1)).as_json(), {})
    assert record.Record(tmp_path / "a.json", TINY.as_json(), {}).runs == first.runs


def test_tables_rank_by_the_median_and_mark_who_misses():
    runs = [run("a", 0.5, seed) for seed in range(3)] + [run("b", 0.6, 0), run("b", 0.9, 1)]
    runs += [run("c", 0.7, seed, l0=12.0) for seed in range(3)]
    lines = page.table(runs).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| b", "| c (target missed)", "| a"]
    assert "recovery" not in lines[0]
    assert "0.750 (0.600..0.900)" in lines[2]
    ranks = page.ranking(runs).splitlines()
    assert ranks[2] == "| b | 1.0 |  | 2.0 | 1.50 |"
    more = [*runs, *(run(r, 0.1 * i, problem="spiked", recovery=0.5) for i, r in enumerate("bca"))]
    found = dict(line.split(" | ", 1) for line in page.ranking(more).splitlines()[2:])
    # EV: first in one and last in the other, or second twice. Recovery, where known, is the same.
    assert set(found.values()) == {"2.0 | 2.0 | 2.0 | 2.00 |"}


def test_the_page_has_a_place_for_every_table():
    text = (ROOT / "docs" / "weight_rules.md").read_text()
    for name in ["ranking", "provenance", *PROBLEMS]:
        assert f"<!-- begin {name} -->" in text and f"<!-- end {name} -->" in text
