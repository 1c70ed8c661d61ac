"""Makes the golden files that `test_golden.py` loads, where they are missing.

    PYTHONPATH=tests python tests/io/make_golden.py

Run it once for a new estimator, or for all after a new format version, and commit what it writes.
What is already there is never written again: these files stand for those that users have.
"""

import json
from pathlib import Path

import numpy as np
from helpers import given

from sklearn_aensae import all_saes
from sklearn_aensae.io._folder import FORMAT_VERSION

GOLDEN = Path(__file__).parent / "golden"
ATTRIBUTES = ("components_", "decoder_bias_", "encoder_bias_", "feature_density_", "input_scale_")


def make(cls, folder):
    """Train a tiny estimator and write it with its data and what it makes of them."""
    rng = np.random.default_rng(0)
    X = np.abs(rng.normal(size=(24, 4))).round(3) + np.array([0, 1, 0, -2])
    small = {"k": 2} if "k" in cls.__dataclass_fields__ else {}
    sae = cls(
        8, max_epochs=6, batch_size=8, learning_rate=0.01, log_interval=3, random_state=0, **small
    )
    sae.fit(*given(sae, X))
    folder.mkdir(parents=True, exist_ok=True)
    sae.save(folder)
    expected = {
        "X": X.tolist(),
        "codes": sae.transform(X).tolist(),
        "history": sae.history_,
        "attributes": {name: np.asarray(getattr(sae, name)).tolist() for name in ATTRIBUTES},
    }
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")


if __name__ == "__main__":
    for name, cls in all_saes():
        folder = GOLDEN / f"v{FORMAT_VERSION}" / name
        if not folder.exists():
            make(cls, folder)
