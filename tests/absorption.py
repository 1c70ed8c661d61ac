"""Absorption: a general feature that goes silent where a special one takes over."""

import numpy as np

from sklearn_aensae.metrics import dictionary_recovery


def absorption(sae, X, true_codes, dictionary, parents):
    """Share of the rows with a true child in which the latent of its parent is silent.

    A row with a true child has its true parent, too. The latent of a true feature is the
    component that the matching of both dictionaries (largest sum of cosines) gives it. Mean over
    the pairs of a parent and a child.
    """
    active = sae.transform(X) > 0
    truly = true_codes.toarray() > 0
    found, true = dictionary_recovery(sae.components_, dictionary).matching
    latent = dict(zip(true.tolist(), found.tolist(), strict=True))
    shares = [
        1 - active[truly[:, child], latent[int(parent)]].mean()
        for child, parent in enumerate(parents)
        if parent >= 0
    ]
    return float(np.mean(shares))
