"""TopK sparse autoencoder."""

from dataclasses import dataclass
from typing import Annotated

from sklearn_aensae.estimators._budget import BudgetSAE
from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.modules.activations import Activation, MultiTopK, TopK
from sklearn_aensae.objective import Term
from sklearn_aensae.objective.reconstruction import Wider
from sklearn_aensae.params import AtLeast

__all__ = ["TopKSAE"]


@dataclass(eq=False, repr=False, kw_only=True)
class TopKSAE(BudgetSAE):
    r"""Sparse autoencoder that keeps the `k` largest codes of each row.

    .. math::
        h = \mathrm{ReLU}(\mathrm{TopK}_k(W (x - b) + c)), \qquad \hat x = D^\top h + b, \qquad
        L = \frac{\frac{1}{Bn} \sum_i \lVert x_i - \hat x_i \rVert^2}{\mathrm{Var}(x)}
            + \alpha \, L_{AuxK}

    and, with `multi_k`, the same error once more, of the `multi_k` largest codes, times
    `multi_coefficient`. Var(x) is the variance of the scaled data, measured once; AuxK lets
    features that have been silent for `dead_window` reconstruct what the others left over.

    Parameters
    ----------
    {n_components}
    k : int, default=32
        Most active components per row; more than `n_components` means all of them.
    {multi_parameters}
    {topk_parameters}
    {shared_parameters}

    Attributes
    ----------
    {shared_attributes}

    References
    ----------
    Gao et al. (2024). Scaling and evaluating sparse autoencoders. :arxiv:`2406.04093`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import TopKSAE
    >>> X = load_digits().data
    >>> codes = TopKSAE(128, k=8, max_epochs=2, random_state=0).fit_transform(X)
    >>> int((codes > 0).sum(axis=1).max())
    8
    """

    multi_k: Annotated[int | None, AtLeast(1, optional=True)] = None
    multi_coefficient: Annotated[float, AtLeast(0, real=True)] = 1 / 8

    def _make_activation(self, plan: Plan) -> Activation:
        k = min(int(self.k), plan.n_components)
        if self.multi_k is None:
            return TopK(k)
        if self.multi_k <= self.k:
            raise ValueError(f"multi_k must be more than k={self.k}, or None; got {self.multi_k}.")
        return MultiTopK(k, min(int(self.multi_k), plan.n_components))

    def _make_terms(self, plan: Plan) -> dict[str, Term]:
        if self.multi_k is None:
            return {}
        return {"multi_topk": Wider(self.multi_coefficient / plan.variance)}
