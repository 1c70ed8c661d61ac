"""Files of every version so far load, and mean what they meant when they were made."""

import json
from pathlib import Path

import numpy as np
import pytest
from helpers import given

from sklearn_aensae import all_saes, load
from sklearn_aensae.io._folder import FORMAT_VERSION

GOLDEN = Path(__file__).parent / "golden"
FOLDERS = sorted(path.parent for path in GOLDEN.rglob("expected.json"))


def test_every_estimator_has_golden_files():
    names = {folder.name for folder in FOLDERS if folder.parent.name == f"v{FORMAT_VERSION}"}
    missing = {name for name, _ in all_saes()} - names
    assert not missing, "run tests/io/make_golden.py and commit what it writes"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f"{f.parent.name}-{f.name}")
def test_golden(folder):
    expected = json.loads((folder / "expected.json").read_text())
    X = np.array(expected["X"])
    sae = load(folder, device="cpu")
    assert type(sae).__name__ == folder.name
    codes = sae.transform(X)
    assert (codes > 0).any()
    np.testing.assert_allclose(codes, expected["codes"], atol=1e-6)
    for name, value in expected["attributes"].items():
        np.testing.assert_allclose(getattr(sae, name), value, atol=1e-6, err_msg=name)
    assert sae.history_ == expected["history"]
    n_steps = sae.n_steps_
    sae.partial_fit(*given(sae, X))
    assert sae.n_steps_ == n_steps + 3
    assert np.isfinite(sae.components_).all()


def test_golden_files_are_small():
    assert all(path.stat().st_size < 12_000 for path in GOLDEN.rglob("*.*"))
