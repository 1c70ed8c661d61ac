"""The study behind docs/spiked.md: its data, its oracle, its lines, its record and its tables."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sklearn_aensae import AdaptiveElasticNetSAE
from sklearn_aensae.metrics import l0, support_recovery
from sklearn_aensae.recipes import SPIKED, SPIKED_NOISY

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from examples.spiked import __main__ as script
from examples.spiked import cases, ceiling, oracle, page, quick, study

sys.path.remove(str(ROOT))

CASE = cases.Case(0.5, size="tiny")
RECIPE = {**quick.recipe(60), "decoder_refits": 1}
TINY = study.Setting(RECIPE, n_train=1_000, n_held_out=200)
GOOD = {"F1": 0.98, "EV": 0.98, "L0": 17.0, "silent on held-out rows": 0.2, "recovery": 0.96}


def record(seed=0, rho=0.5, **figures):
    truth = {"F1": 0.999, "EV": 0.99, "L0": 16.0}
    beside = {"F1 centred": 0.9, "recovery centred": 0.9, "dead in training": 0.0, "seconds": 9.0}
    case = {"case": f"rho {rho}", "rho": rho, "noise_std": 0.0, "signed": False, "size": ""}
    extra = {"threads": 1, "session": 0, "oracle": truth}
    return {**case, "seed": seed, **GOOD, **beside, **extra, **figures}


def test_the_recipe_is_what_runs_and_sizes_are_the_papers():
    assert study.SETTINGS["SPIKED"].recipe == SPIKED
    assert study.SETTINGS["SPIKED_NOISY"].recipe == SPIKED_NOISY
    assert SPIKED_NOISY["target_l0"] == cases.PAPER.n_active
    for rho in (0.0, 0.9):
        for noise in (0.0, 0.3):
            assert cases.Case(rho, noise).adapted(dict(SPIKED)) == {**SPIKED, "n_components": 1024}
    assert cases.Case(0.5, signed=True).adapted(dict(SPIKED))["n_components"] == 2048
    assert cases.Case(0.5, size="wide").adapted(dict(SPIKED))["n_components"] == 8192
    assert cases.Case(0.9, 0.1, True, "wide").key == "rho 0.9, noise 0.1, signed, wide"
    assert cases.Case(0.0).stream(3).dictionary.shape == (1024, 256)


def test_training_rows_are_the_first_and_held_out_rows_others():
    stream = CASE.stream(1)
    X = cases.training_rows(stream, 9_000)
    blocks = iter(stream)
    np.testing.assert_array_equal(X, np.vstack([next(blocks), next(blocks)])[:9_000])
    rows, (codes, dictionary) = cases.held_out(stream, 300, signed=False)
    assert not {*map(tuple, X)} & {*map(tuple, rows)}
    np.testing.assert_allclose(codes @ dictionary, rows, rtol=1e-4, atol=1e-5)


def test_codes_of_both_signs_become_two_components():
    stream = replace(CASE, signed=True).stream(0)
    rows, (codes, dictionary) = cases.held_out(stream, 300, signed=True)
    assert codes.shape[1] == len(dictionary) == 2 * len(stream.dictionary)
    assert codes.data.min() > 0 and l0(codes) == 3
    np.testing.assert_allclose(codes @ dictionary, rows, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scaling", [None, "mean_norm", "whiten"])
@pytest.mark.parametrize("debias", [False, True, "thresholded"])
def test_the_oracle_codes_like_the_estimator_on_its_own_dictionary(scaling, debias):
    X = cases.training_rows(CASE.stream(0), 500).astype(np.float64)
    sae = AdaptiveElasticNetSAE(
        48, gamma=0, lambda_1=0.05, lambda_2=1e-3, input_scaling=scaling, debias=debias,
        transform_method="exact", max_steps=30, random_state=0, dtype="float64",
    ).fit(X)  # fmt: skip
    found = oracle.oracle_codes(sae, X - sae.decoder_bias_, sae.components_)
    expected = sae.transform(X)
    assert 1 < l0(expected) < 40
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_truth_is_found_on_the_true_dictionary():
    found = study.run(cases.Case(0.9, size="tiny"), 0, TINY)
    assert set(record()) - {"session"} <= set(found)
    assert found["oracle"]["F1"] > 0.9 > found["F1"]
    assert found["oracle"]["EV"] > 0.95
    assert 0 < found["L0"] < 64


@pytest.mark.parametrize(
    ("name", "bad"),
    [("F1", 0.969), ("EV", 0.969), ("L0", 18.1), ("silent on held-out rows", 0.6),
     ("recovery", 0.949)],
)  # fmt: skip
def test_each_line_binds(name, bad):
    assert all(study.met(record()).values())
    found = study.met(record(**{name: bad}))
    assert [line for line, holds in found.items() if not holds] == [name]
    assert study.met(record(size="wide", L0=36.0))["L0"]
    assert not study.met(record(size="wide", L0=36.1))["L0"]


def test_tables_mark_what_is_missed():
    runs = [record(0), record(1, F1=0.9), record(0, rho=0.1)]
    lines = page.results(runs).splitlines()
    assert lines[2].startswith("| rho 0.1 | 0.980 (0.980..0.980) | ")
    assert lines[3].startswith("| rho 0.5 | 0.940 (0.900..0.980) ✗ | 0.980 (0.980..0.980) | ")
    text = page.verdict(runs)
    assert text.startswith("**2 of 3 runs meet all five lines.**")
    assert text.endswith("- rho 0.5, seed 1 misses F1")
    assert "0.999 (0.999..0.999)" in page.oracle(runs)
    assert page.verdict([]) == "Not run yet."


def test_a_study_that_goes_on_and_its_page(tmp_path, monkeypatch, capsys):
    file, text = tmp_path / "spiked.json", tmp_path / "page.md"
    text.write_text((ROOT / "docs" / "spiked.md").read_text())
    seen = []
    monkeypatch.setattr(
        script, "run", lambda case, seed, _: seen.append((case.rho, seed)) or record(seed, case.rho)
    )
    words = ["x", "--rho", "0.5", "0.9", "--seeds", "1", "--output", str(file), "--commit", "abc"]
    monkeypatch.setattr(sys, "argv", words)
    assert script.main() == 0
    monkeypatch.setattr(sys, "argv", [*words, "--seeds", "1", "2", "--page", str(text)])
    assert script.main() == 0
    assert seen == [(0.5, 1), (0.9, 1), (0.5, 2), (0.9, 2)]
    content = json.loads(file.read_text())
    assert content["setting"]["recipe"] == dict(SPIKED)
    assert len(content["sessions"]) <= 2 and content["sessions"][0]["commit"] == "abc"
    assert "4 of 4 runs meet all five lines" in text.read_text()
    assert "1 threads each" in text.read_text() and "commit abc." in text.read_text()
    monkeypatch.setitem(study.SETTINGS, "SPIKED", TINY)
    with pytest.raises(ValueError, match="another setting"):
        script.main()


def test_the_recipe_for_noise_has_its_own_file_and_tables(tmp_path, monkeypatch):
    text = tmp_path / "page.md"
    text.write_text((ROOT / "docs" / "spiked.md").read_text())
    before = text.read_text().split("## Noise")[0]
    monkeypatch.chdir(tmp_path)
    seen = []

    def run(case, seed, setting):
        seen.append((case.key, setting.recipe))
        return record(seed, case.rho, noise_std=case.noise_std, case=case.key)

    monkeypatch.setattr(script, "run", run)
    words = ["x", "--recipe", "SPIKED_NOISY", "--noise", "0.1", "--rho", "0.9", "--seeds", "7"]
    monkeypatch.setattr(sys, "argv", [*words, "--page", str(text), "--commit", "abc"])
    assert script.main() == 0
    assert seen == [("rho 0.9, noise 0.1", SPIKED_NOISY)]
    content = json.loads((tmp_path / "docs" / "data" / "spiked_noisy.json").read_text())
    assert content["setting"]["recipe"] == dict(SPIKED_NOISY)
    after = text.read_text()
    assert after.split("## Noise")[0] == before
    table = after.split("<!-- begin SPIKED_NOISY results -->")[1].split("<!-- end")[0]
    assert table.count("\n| rho ") == 1 and "\n| rho 0.9, noise 0.1 | 0.980" in table


def test_the_ceiling_is_the_truth_without_noise_and_falls_with_it():
    clean, noisy, worse = (
        ceiling.ceiling(replace(CASE, noise_std=noise), 0, 200) for noise in (0.0, 0.3, 1.0)
    )
    assert clean["F1"] > 0.995 > noisy["F1"] > worse["F1"]
    assert clean["% noise"] < 1e-6 < noisy["% noise"] < worse["% noise"] < 100
    assert clean["EV"] == pytest.approx(clean["EV of what is not noise"], abs=1e-6)
    # What is explained of noisy rows is at most what is not noise, and what of it was fitted.
    assert noisy["EV"] < noisy["EV of what is not noise"]
    assert clean["L0"] == pytest.approx(3, abs=0.1)


def test_the_ceiling_chooses_by_the_truth():
    stream = replace(CASE, noise_std=0.3).stream(0)
    X, (codes, dictionary) = cases.held_out(stream, 100, signed=False)
    x, atoms = torch.tensor(X), torch.tensor(dictionary, dtype=torch.float32)
    seen = {
        (alpha, size): support_recovery(found, codes).f1
        for alpha in (0.3 * multiple for multiple in ceiling.PENALTIES)
        for size, found in ceiling.supports(x, atoms, alpha)
    }
    best = ceiling.ceiling(replace(CASE, noise_std=0.3), 0, 100)
    assert best["F1"] == max(seen.values()) == seen[best["alpha"], best["size"]]
    assert min(seen.values()) < best["F1"] - 0.1
    counts = [found.nnz for _, found in ceiling.supports(x, atoms, 0.05)]
    assert counts == sorted(counts, reverse=True) and counts[0] > 1.2 * counts[-1]


def test_the_ceiling_on_its_page(tmp_path, monkeypatch):
    text = tmp_path / "page.md"
    text.write_text((ROOT / "docs" / "spiked.md").read_text())
    monkeypatch.setattr(ceiling, "RHO", (0.5,))
    small = ceiling.ceiling(CASE, 0, 50)
    monkeypatch.setattr(
        ceiling, "ceiling", lambda case, seed: {**small, "noise_std": case.noise_std, "seed": seed}
    )
    words = ["x", "--output", str(tmp_path / "ceiling.json"), "--commit", "abc"]
    monkeypatch.setattr(sys, "argv", [*words, "--page", str(text)])
    assert ceiling.main() == 0
    table = text.read_text().split("<!-- begin ceiling -->")[1].split("<!-- end")[0]
    assert table.count("\n| 0.5 | ") == 3
    assert "9 cases, seeds 100, 101, 102" in text.read_text()
    assert len(json.loads((tmp_path / "ceiling.json").read_text())["runs"]) == 9


def test_the_direction(capsys, monkeypatch):
    found = quick.check_direction(steps=300)
    assert len(found) == 4 and all(holds for _, holds in found), found
    monkeypatch.setattr(sys, "argv", ["x", "--quick"])
    monkeypatch.setattr(script, "check_direction", lambda: [("a", True), ("b", False)])
    assert script.main() == 1
    assert capsys.readouterr().out == "ok: a\nWRONG: b\n"
