"""The amortisation gap: what an encoder's codes cost over the exact ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

__all__ = ["AmortizationGap", "amortization_gap"]


@dataclass(frozen=True)
class AmortizationGap:
    """What :func:`amortization_gap` finds."""

    mean: float
    """Mean over the rows."""

    median: float
    """Median over the rows."""

    gaps: NDArray[np.float64]
    """Relative gap of each row, at least 0 up to the tolerance of exact codes: (n_samples,)."""


def amortization_gap(estimator: Any, X: Any) -> AmortizationGap:
    r"""Measure how much worse an encoder's codes are than the best on the same dictionary.

    .. math:: \frac{P(h_{encoder}) - P(h^*)}{P(h^*)}, \qquad
        P(h) = \frac1n \lVert x - b - D^\top h \rVert^2
            + \lambda_1 \sum_j w_j h_j + \lambda_2 \lVert h \rVert^2

    for each row, with :math:`h^*` the minimum of P over non-negative codes: the encoder is asked
    for the solution of an optimisation problem in one product, and this is what that costs.
    `refine_steps` and `debias` count for nothing here.

    A row next to the decoder's bias has :math:`P(h^*) = 0` but for rounding, and any code of the
    encoder is infinitely worse. So :math:`P(h^*)` counts as at least :math:`\epsilon` times the
    mean of :math:`\lVert x - b \rVert^2 / n` over the rows, with the machine epsilon of the
    estimator's `dtype`. The gap of such a row is still large: where there are some, take the
    median.

    Parameters
    ----------
    estimator : fitted estimator with the parameter `transform_method`
        L1SAE, ElasticNetSAE, AdaptiveLassoSAE, AdaptiveElasticNetSAE, DecoderNormL1SAE or
        Crosscoder.
    X : array-like or Tensor of shape (n_samples, n_features), memmap, shards or path
        Rows.

    Returns
    -------
    gap : AmortizationGap
        Mean, median and the gap of each row.

    Raises
    ------
    TypeError
        If the estimator has no exact codes.

    References
    ----------
    Cremer, Li and Duvenaud (2018). Inference suboptimality in variational autoencoders.
    :arxiv:`1801.03558`. For sparse coding: Gregor and LeCun (2010), Learning fast approximations
    of sparse coding.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import ElasticNetSAE
    >>> from sklearn_aensae.metrics import amortization_gap
    >>> X = load_digits().data
    >>> sae = ElasticNetSAE(128, lambda_1=0.01, max_epochs=5, random_state=0).fit(X)
    >>> amortization_gap(sae, X[:200]).mean > 0
    True
    """
    if not hasattr(estimator, "_objectives"):
        raise TypeError(
            f"{type(estimator).__name__} has no exact codes, so there is no gap to them; "
            "estimators with transform_method do, and of a search its best_estimator_ may."
        )
    check_is_fitted(estimator)
    encoder, without = estimator._objectives(X, "encoder").T
    exact, _ = estimator._objectives(X, "exact").T
    rounding = torch.finfo(estimator.net_.module_.decoder.bias.dtype).eps * without.mean()
    gaps = (encoder - exact) / np.maximum(exact, max(rounding, np.finfo(float).tiny))
    return AmortizationGap(float(gaps.mean()), float(np.median(gaps)), gaps)
