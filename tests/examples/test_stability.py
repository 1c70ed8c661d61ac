"""The script behind the figure of docs/theory.md."""

import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from examples import stability

sys.path.remove(str(ROOT))


def test_it_measures_draws_and_keeps(tmp_path, capsys):
    stability.main(["--quick", "--output", str(tmp_path)])
    printed = capsys.readouterr().out
    assert (tmp_path / "images" / "stability.png").read_bytes()[1:4] == b"PNG"
    record = json.loads((tmp_path / "data" / "stability.json").read_text())
    assert {"session", "seed", "lambda_1", "seconds"} <= set(record)
    assert {"commit", "date", "machine", "python", "versions"} <= set(record["session"])
    assert [(row["rho"], row["lambda_2"]) for row in record["rows"]] == [
        (rho, lambda_2) for rho in stability.RHOS for lambda_2 in stability.QUICK.lambda_2
    ]
    for row in record["rows"]:
        bound = row["bound"]
        assert (bound is None) == (row["lambda_2"] == 0)
        if bound is not None:
            assert max(row["exact_max"], row["support_max"], row["sae_exact_max"]) <= bound
        assert 0 < row["exact_mean"] <= row["exact_max"]
        assert f"{row['exact_max']:.3g}" in printed


def test_its_coder_is_exact():
    x = np.array([[3.0, 1.0]])
    codes = stability.ExactCoder(np.eye(2), 0.5, 0.25).transform(x)
    np.testing.assert_allclose(codes, (x - 0.5) / 1.5, rtol=1e-12)
