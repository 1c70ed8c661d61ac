"""The figures of a trained model: those of the paper, and what the truth says."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sklearn_aensae.metrics import (
    dictionary_recovery,
    explained_variance,
    l0,
    support_recovery,
)

Array = NDArray[np.floating[Any]]


def figures(
    X: Array,
    codes: Array,
    reconstruction: Array,
    components: Array,
    truth: tuple[sparse.csr_array, Array],
) -> dict[str, float]:
    """Return L0, EV and recovery of codes and dictionary on held-out rows.

    "EV" is the paper's: variances of the error and of the data about their means, summed over
    features, so that a constant error counts as none. "EV with offset" counts it. Support F1 goes
    by the pairs that the uncentred recovery matches.
    """
    true_codes, dictionary = truth
    found = dictionary_recovery(components, dictionary)
    centred = dictionary_recovery(components, dictionary, centered=True)
    error = (X - reconstruction).var(axis=0, dtype=np.float64).sum()
    active = sparse.csr_array(codes)
    return {
        "L0": float(l0(active)),
        "EV": float(1 - error / X.var(axis=0, dtype=np.float64).sum()),
        "EV with offset": float(explained_variance(X, reconstruction)),
        "silent on held-out rows": float(100 * (codes <= 1e-12).all(axis=0).mean()),
        "recovery": found.mean_cosine,
        "recovery centred": centred.mean_cosine,
        "F1": support_recovery(active, true_codes, found.matching).f1,
        "F1 centred": support_recovery(active, true_codes, centred.matching).f1,
    }
