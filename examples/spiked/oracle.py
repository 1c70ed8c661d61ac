"""Exact codes on a given dictionary: what the coding of an estimator does with the truth."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sklearn_aensae import AdaptiveElasticNetSAE
from sklearn_aensae.coding import Coding, debias, solve, threshold

Array = NDArray[np.floating[Any]]


def oracle_codes(sae: AdaptiveElasticNetSAE, X: Array, dictionary: Array) -> Array:
    """Code rows on another dictionary than the estimator's, with its units and penalties.

    Weights are 1, and nothing is subtracted: a true dictionary has no bias.

    Parameters
    ----------
    sae : AdaptiveElasticNetSAE
        Fitted; `whitening_` or `input_scale_`, the penalties and `debias` count.
    X : ndarray of shape (n_samples, n_features)
        Rows, in single or double precision.
    dictionary : ndarray of shape (n_components, n_features)
        Atoms.

    Returns
    -------
    codes : ndarray of shape (n_samples, n_components)
        Codes of the atoms in the units of `X`.
    """
    n_features = X.shape[1]
    matrix = sae.whitening_
    if matrix is None:
        matrix = sae.input_scale_ * np.eye(n_features)
    norms = np.linalg.norm(dictionary @ matrix, axis=1, keepdims=True)
    rows = torch.tensor(X)
    atoms, there = (torch.tensor(a).to(rows) for a in (dictionary / norms, matrix))
    alpha = rows.new_full((len(atoms),), 0.5 * n_features * sae.lambda_1_)
    problem = Coding(rows @ there, atoms @ there, alpha, n_features * sae.lambda_2)
    start = torch.zeros(len(rows), 1, dtype=torch.int64), rows.new_zeros(len(rows), 1)
    tol = 1e-5 if rows.dtype == torch.float32 else 1e-10
    columns, values, _ = solve(problem, *start, tol=tol)
    if sae.debias == "thresholded":
        values = threshold(problem, columns, values)
    elif sae.debias:
        values = debias(problem, columns, values)
    codes = rows.new_zeros(len(rows), len(atoms)).scatter_add_(1, columns, values)
    return codes.numpy() / norms.T
