"""The study behind docs/fair_comparison.md: who takes part, what is tried, measured and written."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sklearn_aensae import L1SAE, AdaptiveElasticNetSAE, TopKSAE, all_saes

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from examples.fair_comparison import __main__ as script
from examples.fair_comparison import arms, front, page, problems, quick, study

sys.path.remove(str(ROOT))

BUDGET = replace(problems.TINY_BUDGET, n_rows=300, n_held_out=1_000, n_chars=2_000, steps=12)
TINY = problems.spiked(0.5, BUDGET, "tiny")
EXACT = "AdaptiveElasticNetSAE, exact"


def test_all_take_part_with_the_same_start_and_as_many_trials():
    assert {name for name, _ in all_saes()} < set(arms.ARMS)
    assert set(arms.ON_LANGUAGE) < set(arms.ARMS)
    for arm in arms.ARMS.values():
        assert arm.cls(**arm.extra).init == "data"
        trials = arm.trials(16)
        tried = [next(trials)]
        while len(tried) < 10:
            try:
                tried.append(trials.send({"L0": 40.0 / len(tried)}))
            except StopIteration:
                break
        assert len(tried) == 4
        assert len({json.dumps(one) for one in tried}) == 4
        assert all(arm.cls(**arm.extra, **one) for one in tried)


def test_exact_codes_come_to_the_target_by_their_penalty():
    trials = arms.ARMS[EXACT].trials(8)
    counts = []
    with pytest.raises(StopIteration):
        params = next(trials)
        while True:
            counts.append(0.05 * params["lambda_1"] ** -1.5)
            params = trials.send({"L0": counts[-1]})
    assert counts[-1] == pytest.approx(8, rel=0.05)
    assert 1 < len(counts) <= 4 and abs(counts[-2] - 8) > 0.4


def test_strengths_begin_where_those_of_another_target_ended_and_end_close():
    def count(params):
        return 0.05 * params["lambda_1"] ** -1.5

    before = [{"params": {"lambda_1": one}, "L0": 0.05 * one**-1.5} for one in (0.1, 0.02)]
    trials = arms.ARMS[EXACT].trials(8, [(one["params"]["lambda_1"], one["L0"]) for one in before])
    params = next(trials)
    assert count(params) == pytest.approx(8, rel=1e-3)
    with pytest.raises(StopIteration):
        trials.send({"L0": 8.3})
    found = study.compare(arms.ARMS[EXACT], TINY, {"trials": before, "params": {}}, seeds=(0,))
    assert 1 <= len(found["trials"]) <= 4
    assert count(found["trials"][0]["params"]) == pytest.approx(found["target"], rel=1e-3)


def test_thresholded_codes_are_asked_for_by_their_number():
    arm = arms.ARMS["AdaptiveElasticNetSAE, gamma 0.25, thresholded"]
    found = study.compare(arm, TINY, {"params": {"learning_rate": 0.002}, "trials": []}, seeds=(0,))
    assert found["params"] == {"learning_rate": 0.002, "target_l0": found["target"]}
    assert found["trials"] == []
    assert found["runs"][0]["L0"] == pytest.approx(found["target"], rel=0.1)


def test_rows_of_a_seed_are_the_same_for_all_and_parts_do_not_overlap():
    one, again, other = TINY.make(0), TINY.make(0), TINY.make(1)
    assert (one.train == again.train).all() and (one.truth != other.truth).any()
    parts = [{*map(tuple, rows)} for rows in (one.train, one.validation, one.test)]
    assert [len(part) for part in parts] == [300, 1_000, 1_000]
    assert len(set.union(*parts)) == 2_300


@pytest.mark.parametrize("name", ["TopKSAE", EXACT])
def test_an_arm_is_tuned_on_validation_rows_and_measured_on_others(name):
    found = study.compare(arms.ARMS[name], TINY, seeds=(0, 1))
    assert len(found["trials"]) == 4 or (name == EXACT and 0 < len(found["trials"]) < 4)
    assert len(found["runs"]) == 2
    assert found["params"] in [trial["params"] for trial in found["trials"]]
    figures = {"s", "L0", "EV", "dead in training", "silent in 1,000", "recovery"}
    assert set(found["runs"][0]) - {"gap"} == figures | {"recovery centred"}
    assert ("gap" in found["runs"][0]) == (name == EXACT)
    assert found["runs"][0]["EV"] != found["runs"][1]["EV"]
    json.dumps(found)


def test_a_learning_rate_may_come_from_elsewhere():
    before = {"params": {"learning_rate": 0.002, "k": 3}, "trials": []}
    found = study.compare(arms.ARMS["TopKSAE"], TINY, before, seeds=(0,))
    assert found["trials"] == [] and len(found["runs"]) == 1
    assert found["params"] == {"learning_rate": 0.002, "k": found["target"]}


def test_the_language_model_is_spliced():
    data = problems.language(3, 2, 8, BUDGET)
    found = study.measure(arms.ARMS["TopKSAE"], data, {"k": 8, "learning_rate": 0.004}, 0)
    assert found["L0"] == pytest.approx(8, abs=0.5)
    assert found["CE increase"] > 0 and found["CE recovered"] < 1
    assert "recovery" not in found
    problem = data.make(0)
    assert problem.activations.layer == 3
    assert len(problem.validation) <= 250 and len(problem.test) <= 1_000
    assert problem.n_components == 384
    assert [one.group for one in problems.LM_DATA[::4]] == [
        "layer 1, 8x", "layer 1, 32x", "layer 3, 8x", "layer 3, 32x",
    ]  # fmt: skip


def fake(data, arm, target=16, **figures):
    names = {name: 0.5 for name in page.FIGURES} | {"L0": float(target)} | figures
    group = data.split(", L0")[0]
    params = {"learning_rate": 1e-3, "k": target}
    return {
        "problem": data, "group": group, "estimator": arm, "not default": arms.ARMS[arm].extra,
        "target": target, "params": params, "runs": [names] * 3,
    }  # fmt: skip


def test_a_study_that_goes_on_and_its_page(tmp_path, monkeypatch):
    file, text = tmp_path / "fair.json", tmp_path / "page.md"
    text.write_text((ROOT / "docs" / "fair_comparison.md").read_text())
    seen = []

    def work(kind, name, arm, before):
        seen.append((kind, name, arm))
        if kind == "lm" and "L0 32" not in name:
            first = name.split(", L0")[0] + ", L0 32"
            assert (before["problem"], before["estimator"]) == (first, arm)
        else:
            assert before is None
        return fake(name, arm, int(name.split()[-1]) if kind == "lm" else 16)

    monkeypatch.setattr(script, "work", work)
    words = ["x", "--jobs", "1", "--output", str(file), "--commit", "abc", "--page", str(text)]
    monkeypatch.setattr(sys, "argv", [*words, "--only", "0.9", "--estimators", "TopKSAE"])
    assert script.main() == 0
    assert seen == [("spiked", "rho 0.9", "TopKSAE")]
    monkeypatch.setattr(sys, "argv", [*words, "--only", "0.9"])
    assert script.main() == 0
    assert len(seen) == len(set(seen)) == len(arms.ARMS)
    assert "Not run yet." in text.read_text()
    monkeypatch.setattr(sys, "argv", [*words, "--data", "lm", "--only", "layer 1, 8x, L0 8"])
    with pytest.raises(ValueError, match="'layer 1, 8x, L0 32': run that first"):
        script.main()
    monkeypatch.setattr(sys, "argv", [*words, "--data", "lm", "--only", "layer 1, 8x"])
    assert script.main() == 0
    assert len(seen) == len(arms.ARMS) + 4 * len(arms.ON_LANGUAGE)
    filled = text.read_text()
    assert "64 active components:\n\n| estimator | L0 | EV |" in filled
    # Two rho and three settings of the language model.
    assert len(re.findall(r"Not run yet\.\n<!-- end (?:rho|layer)", filled)) == 5
    assert "commit abc." in filled
    again = arms.Arm("TopKSAE", TopKSAE, {"multi_k": 64})
    monkeypatch.setitem(arms.ARMS, "TopKSAE", again)
    monkeypatch.setattr(sys, "argv", [*words, "--only", "0.9"])
    assert script.main() == 0  # an arm that has changed is run again, and no other
    assert seen[-1] == ("spiked", "rho 0.9", "TopKSAE")
    assert len(seen) == len(arms.ARMS) + 4 * len(arms.ON_LANGUAGE) + 1
    tables = text.read_text().split("<!-- begin rho 0.9 -->")[1].split("<!-- end")[0]
    assert tables.count("`TopKSAE`") == 1
    monkeypatch.setattr(script, "MIDDLE_RATE", 0.1)
    with pytest.raises(ValueError, match="another setting"):
        script.main()


def test_the_front_is_the_best_baseline_with_as_many_codes_or_fewer():
    def point(arm, count, ev):
        return fake("layer 1, 8x, L0 0", arm, L0=count, EV=ev)

    ours = [point(EXACT, 20.0, 0.8), point("AdaptiveElasticNetSAE", 100.0, 0.9)]
    ours += [point(EXACT, 5.0, 0.9), point(arms.CONTROLS[0].name, 20.0, 0.85)]
    baselines = [point("TopKSAE", 10.0, 0.5), point("TopKSAE", 40.0, 0.9)]
    baselines += [point("L1SAE", 10.0, 0.3), point("L1SAE", 40.0, 0.95)]
    baselines += [point("JumpReLUSAE", 0.0, 0.0), point("JumpReLUSAE", 30.0, 0.94)]
    lines = front.front(ours + baselines, ["layer 1, 8x"]).splitlines()
    # Halfway in the logarithm at 20, where JumpReLU has more; the last point at 100; none at 5.
    assert lines[2:] == [
        "| layer 1, 8x | AdaptiveElasticNetSAE | 100.0 | 0.900 | L1SAE | 0.950 | -0.050 |",
        f"| layer 1, 8x | {EXACT} | 20.0 | 0.800 | TopKSAE | 0.700 | +0.100 |",
        "| layer 1, 8x | L1SAE, exact | 20.0 | 0.850 | TopKSAE | 0.700 | +0.150 |",
    ]
    near = front.front([point(EXACT, 9.95, 0.9), *baselines], ["layer 1, 8x"]).splitlines()
    assert near[2:] == [f"| layer 1, 8x | {EXACT} | 9.9 | 0.900 | TopKSAE | 0.500 | +0.400 |"]
    adaptive = front.front(
        ours + baselines, ["layer 1, 8x"], lambda one: one["estimator"] == "AdaptiveElasticNetSAE"
    )
    assert adaptive.splitlines() == lines[:3]
    assert front.front(baselines, ["layer 1, 8x"]) == front.front([], []) == "Not run yet."


def test_the_direction(capsys, monkeypatch):
    found = quick.check_direction()
    assert len(found) == 4 and all(holds for _, holds in found), found
    monkeypatch.setattr(sys, "argv", ["x", "--quick"])
    monkeypatch.setattr(script, "check_direction", lambda: [("a", True), ("b", False)])
    assert script.main() == 1
    assert capsys.readouterr().out == "ok: a\nWRONG: b\n"


def test_best_forms_are_of_the_adaptive_elastic_net_and_one_differs_in_its_weights_only():
    assert {arm.cls for arm in arms.BEST} == {AdaptiveElasticNetSAE}
    assert {arm.cls for arm in arms.CONTROLS} == {L1SAE}
    assert [arm.extra for arm in arms.CONTROLS] == [arms.EXACT, arms.THRESHOLDED]
    assert arms.ARMS[EXACT].extra == arms.EXACT
