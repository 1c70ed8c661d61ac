"""Elastic net sparse autoencoder."""

from dataclasses import dataclass
from typing import Annotated

from sklearn_aensae.estimators._l1 import L1SAE
from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.objective import Term
from sklearn_aensae.objective.penalties import L2
from sklearn_aensae.params import AtLeast

__all__ = ["ElasticNetSAE"]


@dataclass(eq=False, repr=False, kw_only=True)
class ElasticNetSAE(L1SAE):
    r"""Sparse autoencoder with an L1 and a squared L2 penalty on its codes.

    .. math::
        L = \frac{1}{Bn} \sum_{i=1}^{B} \lVert x_i - \hat x_i \rVert^2
            + \frac{\lambda_1}{B} \sum_{i,j} h_{ij} + \frac{\lambda_2}{B} \sum_{i,j} h_{ij}^2

    with codes, units and reductions as in :class:`L1SAE`. The L2 term makes the optimal code of
    a row unique and a Lipschitz function of it; it also shrinks codes by
    :math:`1 / (1 + n \lambda_2)`. In the scaling of scikit-learn's `ElasticNet`-type objective
    :math:`\frac12 \lVert x - \hat x \rVert^2 + l_1 \lVert h \rVert_1 + \frac{l_2}{2} \lVert h
    \rVert^2`: :math:`l_1 = n \lambda_1 / 2` and :math:`l_2 = n \lambda_2`.

    Parameters
    ----------
    {n_components}
    lambda_1 : float, default=0.005
        Strength of the L1 penalty.
    lambda_2 : float, default=1e-4
        Strength of the squared L2 penalty.
    lambda_warmup : int or float, default=0.05
        Linear rise from 0 of all penalties: steps (int) or a share of training (float).
    {target_parameters}
    {revival_parameters}
    {exact_parameters}
    {shared_parameters}

    Attributes
    ----------
    {penalised_attributes}
    lambda_2_ : float
        Strength of the L2 penalty as training ended, less than `lambda_2` before its warm-up has:
        that of exact codes.
    {shared_attributes}

    References
    ----------
    Zou and Hastie (2005). Regularization and variable selection via the elastic net.

    Feature Starvation as Geometric Instability in Sparse Autoencoders (2026).
    :arxiv:`2605.05341`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import ElasticNetSAE
    >>> X = load_digits().data
    >>> ElasticNetSAE(128, lambda_2=1e-3, max_epochs=2, random_state=0).fit_transform(X).shape
    (1797, 128)
    """

    lambda_2: Annotated[float, AtLeast(0, real=True)] = 1e-4

    def _make_terms(self, plan: Plan) -> dict[str, Term]:
        return {**super()._make_terms(plan), "l2": L2(self.lambda_2)}

    def _write_fitted(self) -> None:
        super()._write_fitted()
        self.lambda_2_ = self._risen_share() * float(self._trained_with["lambda_2"])

    def _ridge(self) -> float:
        return self.lambda_2_
