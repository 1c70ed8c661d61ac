"""Which strengths of the penalty a path visits."""

import math
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from sklearn_aensae.estimators import BaseSAE
from sklearn_aensae.estimators._validation import validate_X
from sklearn_aensae.params import InRange, check_param
from sklearn_aensae.sources import InputScaling, as_source

__all__ = ["as_strengths", "largest_strength"]

EPS = InRange(0, 1, open_low=True, open_high=True)

SAMPLE_ROWS = 4_096
"""Rows, the first or random ones, whose longest bounds the strengths."""


def as_strengths(
    lambdas: int | ArrayLike, eps: float, estimator: BaseSAE, X: Any
) -> NDArray[np.float64]:
    """Return the strengths of a path: those given, or so many up to the largest useful one.

    Raises
    ------
    ValueError
        If `lambdas` is neither a number of strengths nor a list of them, or `eps` is no share.
    """
    check_param(eps, "eps", EPS)
    if isinstance(lambdas, Integral) and not isinstance(lambdas, bool) and int(lambdas) >= 1:
        top = largest_strength(estimator, X)
        return np.geomspace(eps * top, top, int(lambdas) + 1)[:-1]
    try:
        strengths = np.asarray(lambdas, dtype=np.float64)
    except (TypeError, ValueError):
        strengths = np.empty(0)
    if strengths.ndim != 1 or not len(strengths) or not (strengths >= 0).all():
        raise ValueError(
            "lambdas must be a number of strengths (an int >= 1) or a list of them (numbers >= 0); "
            f"got {lambdas!r}."
        )
    if not np.isfinite(strengths).all():
        raise ValueError(f"lambdas must be finite; got {lambdas!r}.")
    return strengths


def largest_strength(estimator: BaseSAE, X: Any) -> float:
    r"""Return the strength at which no code of unit atoms is active any more.

    Where all codes are 0, the slope of the error along the code of an atom d is
    :math:`-\frac2n d^\top (x - b)`, so that no atom is worth its penalty from
    :math:`\lambda_1 = \frac2n \max_x \lVert x - b \rVert` on, in the units of training.
    """
    rows = as_source(validate_X(clone(estimator), X, reset=True), "cpu", torch.float64)
    views = estimator._view_sizes(rows.n_features)
    sample = rows.sample(SAMPLE_ROWS, 0)
    scaling = InputScaling.fit(estimator.input_scaling, sample.clone(), view_sizes=views)
    x = scaling.scale_(sample)
    longest = float(torch.linalg.vector_norm(x - x.mean(0), dim=1).max())
    # Rows that are all alike have no scale; any strength does.
    return 2 * longest / rows.n_features or 2 / math.sqrt(rows.n_features)
