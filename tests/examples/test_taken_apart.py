"""What in exact codes does it: the study's codes, its figures and its table."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import nnls

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from examples.fair_comparison import apart as script
from examples.fair_comparison import problems

sys.path.remove(str(ROOT))

RATES = {"BatchTopKSAE": 4e-3, "L1SAE": 4e-3}


@pytest.fixture(scope="module")
def run():
    data = problems.spiked(0.5, replace(problems.TINY_BUDGET, n_rows=2_000, steps=600), "tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "TARGET", 4)
        return script.study(data, RATES, 0)


def test_least_squares_explain_more_and_refits_more_still(run):
    found = {(one["estimator"], one["codes"], one["refits"]): one["EV"] for one in run["figures"]}
    assert len(found) == len(run["figures"]) == 4 + 8
    plain, refitted = (found["BatchTopKSAE", "encoder", refits] for refits in (0, 2))
    assert plain < refitted < found["BatchTopKSAE", "encoder, least squares", 2]
    assert found["L1SAE", "encoder", 0] < found["L1SAE", "encoder, least squares", 0]
    for codes in ("exact, least squares", "exact, thresholded"):
        assert found["L1SAE", codes, 0] < found["L1SAE", codes, 2]


def test_codes_on_a_support_are_those_of_non_negative_least_squares():
    data = problems.spiked(0.5, replace(problems.TINY_BUDGET, n_rows=2_000, steps=50), "tiny")
    problem = data.make(0)
    sae = script.fit(script.BatchTopKSAE, problem, data.budget, {"k": 4}, 0)
    X = problem.test[:40]
    codes = sae.transform(X)
    found = script.on_support(sae, X, codes)
    assert not found[codes == 0].any()
    for x, code, mine in zip(X - sae.decoder_bias_, codes, found, strict=True):
        active = code.nonzero()[0]
        if not len(active):  # SciPy's would crash
            continue
        expected = nnls(sae.components_[active].T.astype(float), x.astype(float))[0]
        np.testing.assert_allclose(mine[active], expected, atol=1e-4 * np.abs(x).max())


def test_a_stopped_study_goes_on_where_it_was(run, tmp_path, monkeypatch):
    seen = []

    def study(data, rates, seed):
        seen.append((data.name, seed))
        assert rates == {"BatchTopKSAE": 0.004, "L1SAE": 0.008}
        return run | {"data": data.name, "seed": seed}

    page = tmp_path / "page.md"
    marks = ("taken apart", "taken apart provenance")
    page.write_text("".join(f"<!-- begin {n} -->\n<!-- end {n} -->\n" for n in marks))
    monkeypatch.setattr(script, "study", study)
    output = tmp_path / "runs.json"
    monkeypatch.setattr(sys, "argv", ["x", "--output", str(output), "--page", str(page)])
    assert script.main() == script.main() == 0
    assert seen == [(f"layer {i}, 8x, L0 32", seed) for i in (1, 3) for seed in (0, 1, 2)]
    assert len(json.loads(output.read_text())["runs"]) == 6
    text = page.read_text()
    assert "| layer 1, 8x, L0 32 | `BatchTopKSAE` | encoder, least squares | 2 |" in text
    assert "6 runs, seeds 0, 1, 2" in text
