"""How far codes are from the conditions that only exact ones meet."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

__all__ = ["kkt_residuals"]


def kkt_residuals(estimator: Any, X: Any, method: str | None = None) -> NDArray[np.float64]:
    r"""Measure the largest violation of the optimality conditions of each row's codes.

    A code :math:`h \ge 0` is exact if and only if, with the residual :math:`r = x - b - D^\top h`
    and :math:`g_j = \frac2n d_j^\top r - 2 \lambda_2 h_j - \lambda_1 w_j`,

    .. math:: g_j = 0 \ \text{where}\ h_j > 0, \qquad g_j \le 0 \ \text{elsewhere}

    (Karush, Kuhn and Tucker). This is the largest of :math:`|g_j|` over active and
    :math:`\max(g_j, 0)` over other components, in the units of the objective per unit of code in
    training: compare it with `lambda_1`. Codes are those before debiasing, and with `refine_steps`
    the encoder's are refined.

    Parameters
    ----------
    estimator : fitted estimator with the parameter `transform_method`
        L1SAE, ElasticNetSAE, AdaptiveLassoSAE, AdaptiveElasticNetSAE, DecoderNormL1SAE or
        Crosscoder.
    X : array-like or Tensor of shape (n_samples, n_features), memmap, shards or path
        Rows.
    method : {"encoder", "exact"} or None, default=None
        Whose codes; None is the estimator's `transform_method`.

    Returns
    -------
    residuals : ndarray of shape (n_samples,)
        At least 0.

    Raises
    ------
    TypeError
        If the estimator has no exact codes.

    See Also
    --------
    amortization_gap : What the same costs in the objective.

    References
    ----------
    Boyd and Vandenberghe (2004). Convex optimization, section 5.5.3.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import ElasticNetSAE
    >>> from sklearn_aensae.metrics import kkt_residuals
    >>> X = load_digits().data
    >>> sae = ElasticNetSAE(128, lambda_1=0.01, max_epochs=5, random_state=0).fit(X)
    >>> encoder, exact = (kkt_residuals(sae, X[:200], m).max() for m in ("encoder", "exact"))
    >>> bool(exact < 1e-4 < encoder)
    True
    """
    if not hasattr(estimator, "_violations"):
        raise TypeError(
            f"{type(estimator).__name__} has no exact codes; estimators with transform_method "
            "do, and of a search its best_estimator_ may."
        )
    check_is_fitted(estimator)
    residuals: NDArray[np.float64] = estimator._violations(X, method)
    return residuals
