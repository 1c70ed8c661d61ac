"""TopK sparse autoencoder."""

from dataclasses import dataclass
from typing import Annotated

from sklearn_aensae.estimators._build import Plan
from sklearn_aensae.estimators._reviving import RevivingSAE
from sklearn_aensae.modules.activations import Activation, TopK
from sklearn_aensae.objective import Term
from sklearn_aensae.objective.reconstruction import MSE
from sklearn_aensae.params import AtLeast, OneOf

__all__ = ["TopKSAE"]


@dataclass(eq=False, repr=False, kw_only=True)
class TopKSAE(RevivingSAE):
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

    def _make_activation(self, n_components: int) -> Activation:
        return TopK(min(self.k, n_components))

    def _make_reconstruction(self, plan: Plan) -> Term:
        return MSE(1 / plan.variance)
