"""TopK sparse autoencoder."""

from dataclasses import dataclass
from typing import Annotated

from sklearn_aensae.dead_features import AuxK
from sklearn_aensae.estimators._base import BaseSAE
from sklearn_aensae.estimators._build import Plan
from sklearn_aensae.modules.activations import Activation, TopK
from sklearn_aensae.objective import Term
from sklearn_aensae.objective.reconstruction import MSE
from sklearn_aensae.params import AtLeast, OneOf

__all__ = ["TopKSAE"]


@dataclass(eq=False, repr=False, kw_only=True)
class TopKSAE(BaseSAE):
    r"""Sparse autoencoder that keeps the `k` largest codes of each row.

    .. math::
        h = \mathrm{ReLU}(\mathrm{TopK}_k(W (x - b) + c)), \qquad \hat x = D^\top h + b, \qquad
        L = \frac{\frac{1}{Bn} \sum_i \lVert x_i - \hat x_i \rVert^2}{\mathrm{Var}(x)}
            + \alpha \, L_{AuxK}

    Var(x) is the variance of the scaled data, measured once; AuxK lets features that have been
    silent for `dead_window` reconstruct what the others left over.

    Parameters
    ----------
    n_components : int or float, default=8.0
        Number of components: an int is absolute, a float a multiple of the number of features.
    k : int, default=32
        Most active components per row; more than `n_components` means all of them.
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

    k: Annotated[int, AtLeast(1)] = 32
    dead_features: Annotated[str | None, OneOf("auxk", None)] = "auxk"
    aux_coefficient: Annotated[float, AtLeast(0, real=True)] = 1 / 32
    k_aux: Annotated[int | None, AtLeast(1, optional=True)] = None

    def _make_activation(self, n_components: int) -> Activation:
        return TopK(min(self.k, n_components))

    def _make_reconstruction(self, plan: Plan) -> Term:
        return MSE(1 / plan.variance)

    def _make_terms(self, plan: Plan) -> dict[str, Term]:
        if self.dead_features is None:
            return {}
        k_aux = max(1, plan.n_outputs // 2) if self.k_aux is None else self.k_aux
        return {self.dead_features: self._make_revival(k_aux, plan)}

    def _make_revival(self, k_aux: int, plan: Plan) -> Term:
        """Term that `dead_features` names."""
        return AuxK(k_aux, self.aux_coefficient)
