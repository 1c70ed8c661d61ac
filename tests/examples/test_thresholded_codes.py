"""The study of thresholded codes: its direction, its figures and its table."""

import json
import sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from examples import thresholded_codes as script

sys.path.remove(str(ROOT))


def test_the_direction():
    found = script.check_direction()
    assert len(found) == 2
    assert all(holds for _, holds in found), found


def fewer_rows(case, seed, setting, rows=script.rows):
    """The language model's in a moment."""
    train, test, truth, n_components = rows(case, seed, setting)
    return (train, test, truth, n_components) if case else (train[:700], test[:200], None, 96)


def test_runs_are_kept_and_become_a_table(tmp_path, monkeypatch, capsys):
    few = replace(script.TINY, n_rows=1_000, n_held_out=300, steps=60)
    monkeypatch.setattr(script, "Setting", lambda: few)
    everything = script.problems(script.TINY)
    some = ["rho 0.9, tiny", "language model, 8"]
    assert set(some) < everything.keys()
    assert [everything[name][1] for name in some] == [3, 8]
    monkeypatch.setattr(script, "problems", lambda setting: {k: everything[k] for k in some})
    monkeypatch.setattr(script, "rows", fewer_rows)
    output = tmp_path / "runs.json"
    monkeypatch.setattr(sys, "argv", ["x", "--seeds", "0", "--output", str(output)])
    assert script.main() == 0
    runs = json.loads(output.read_text())["runs"]
    assert [run["data"] for run in runs] == some
    assert "F1" in runs[0]["figures"]["debiased"]
    assert "F1" not in runs[1]["figures"]["debiased"]
    weaker, strong = (runs[1]["figures"][way] for way in ("thresholded", "debiased"))
    assert weaker["lambda_1"] < strong["lambda_1"]
    lines = script.table(runs).splitlines()
    assert len(lines) == 6
    assert lines[2].startswith("| rho 0.9, tiny | 3 | debiased | ")
    assert lines[-1].startswith("| language model | 8 | thresholded | ")
    assert lines[-1].split(" | ")[5:7] == ["-", "-"]
    assert lines[-1] in capsys.readouterr().out
    # What is there is not run again.
    monkeypatch.setattr(script, "study", None)
    assert script.main() == 0
