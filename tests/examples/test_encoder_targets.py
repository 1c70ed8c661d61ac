"""The study of encoders that are trained on exact codes: its figures and its table."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from examples import encoder_targets as script

sys.path.remove(str(ROOT))

NAME = "spiked, rho 0.9"
TINY = replace(script.TINY, steps=60, encoder_steps=40, n_target_rows=300)


@pytest.fixture(scope="module")
def run():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "RATES", (2e-3,))
        return script.study(NAME, 0, TINY)


def test_encoders_come_nearer_to_exact_codes(run):
    errors = {(one["refits"], one["codes"]): one["error"] for one in run["figures"]}
    for refits in script.DECODER_REFITS:
        assert errors[refits, "exact"] == 0
        after = errors[refits, "then on exact codes, rate 0.002"]
        assert 0 < after < errors[refits, "as trained"]


def test_codes_of_an_encoder_are_those_of_the_estimator():
    X, test, n_components = script.rows(NAME, 0, TINY)
    sae = script.AdaptiveElasticNetSAE(n_components, max_steps=20, input_scaling=None).fit(X)
    codes = script.encode(test, sae.encoder_weights_, sae.encoder_bias_, sae.encoder_offset_)
    assert abs(codes - sae.transform(test)).max() < 1e-4 * codes.max()


def test_steps_of_descent_lead_to_exact_codes(monkeypatch):
    X, test, n_components = script.rows(NAME, 0, TINY)
    sae = script.AdaptiveElasticNetSAE(n_components, max_steps=60, input_scaling=None).fit(X)
    problem, rows, values = script.Problem(sae), torch.tensor(test), []
    for n_steps in (0, 5, 50, 2_000):
        monkeypatch.setattr(script, "UNROLLED", n_steps)
        codes = script.descended(sae, test, sae.transform(test))
        values.append(float(problem.value(rows, torch.tensor(codes))))
    least = float(problem.value(rows, torch.tensor(sae.encode(test, "exact"))))
    assert values == sorted(values, reverse=True)
    assert values[0] > 1.01 * least
    assert values[-1] == pytest.approx(least, rel=1e-4)


def test_encoders_are_trained_through_the_steps(monkeypatch):
    monkeypatch.setattr(script, "RATES", (2e-3,))
    monkeypatch.setattr(script, "DECODER_REFITS", (0,))
    figures = script.study(NAME, 0, TINY, (script.UNROLLED_LOSS,))["figures"]
    errors = {one["codes"]: one["error"] for one in figures}
    assert set(errors) == {
        "exact", "as trained", "as trained, 5 steps", "as trained, refine_steps=2",
        "then on objective after 5 steps, rate 0.002",
    }  # fmt: skip
    trained = errors["then on objective after 5 steps, rate 0.002"]
    assert trained < errors["as trained, 5 steps"] < errors["as trained"]


def test_what_is_there_is_not_run_again(run, tmp_path, monkeypatch, capsys):
    page, seen = tmp_path / "page.md", []
    marks = ("encoder targets", "encoder targets provenance", "unrolled", "unrolled provenance")
    page.write_text("".join(f"<!-- begin {n} -->\n<!-- end {n} -->\n" for n in marks))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(script, "TINY", TINY)

    def study(name, seed, setting, losses):
        seen.append((name, seed))
        return run | {"data": name, "seed": seed}

    monkeypatch.setattr(script, "study", study)
    for seeds in (["0"], ["0", "1"]):
        monkeypatch.setattr(sys, "argv", ["x", "--quick", "--page", str(page), "--seeds", *seeds])
        assert script.main() == 0
    assert [seed for _, seed in seen] == [0, 0, 1, 1]
    assert len(json.loads(Path("build/encoder_targets.json").read_text())["runs"]) == 4
    text = page.read_text()
    assert "| spiked, rho 0.9 | 0 | exact |" in text and "4 runs, seeds 0, 1" in text
    monkeypatch.setattr(sys, "argv", ["x", "--quick", "--unrolled", "--seeds", "0"])
    assert script.main() == 0
    assert len(json.loads(Path("build/unrolled.json").read_text())["runs"]) == 2
