"""Mutual Choice sparse autoencoder."""

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from sklearn_aensae.dead_features import AuxZipf
from sklearn_aensae.estimators._batch_topk import BatchTopKSAE
from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.modules.zipf import zipf_densities
from sklearn_aensae.objective import Term
from sklearn_aensae.params import AtLeast, InRange, OneOf

__all__ = ["MutualChoiceSAE"]


@dataclass(eq=False, repr=False, kw_only=True)
class MutualChoiceSAE(BatchTopKSAE):
    r"""Sparse autoencoder whose rows and components share one budget of codes per batch.

    .. math::
        h = \mathrm{ReLU}(S \odot (W (x - b) + c)), \qquad
        \textstyle\sum_{ij} S_{ij} = k B, \qquad \hat x = D^\top h + b

    where S in {0, 1} chooses the largest pre-codes of a batch of B rows, whichever row and
    component they belong to. That is the choice of :class:`BatchTopKSAE`, whose loss and
    thresholds it has, too; new is how components are kept alive, `dead_features="aux_zipf"`:
    beside the dead, those that fire much less than Zipf's law lets one expect at their rank
    reconstruct what the others left over. With another `dead_features` the two are the same.

    The paper's formula for aux_zipf was not at hand: which components count as dying here is our
    own parametrisation of its description, as are `zipf_exponent`, `zipf_offset`, `dying_share`
    and their defaults.

    Parameters
    ----------
    {n_components}
    k : int, default=32
        Active components of the mean row; more than `n_components` means all of them.
    {choice_parameters}
    {shared_parameters}

    Attributes
    ----------
    {calibrated_attributes}
    {shared_attributes}

    References
    ----------
    Ayonrinde (2024). Adaptive sparse allocation with mutual choice and feature choice sparse
    autoencoders. :arxiv:`2411.02124`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import MutualChoiceSAE
    >>> X = load_digits().data
    >>> codes = MutualChoiceSAE(128, k=8, max_epochs=2, random_state=0).fit_transform(X)
    >>> round(float((codes > 0).sum(axis=1).mean()), 1)
    8.0
    """

    dead_features: Annotated[str | None, OneOf("aux_zipf", "auxk", None)] = "aux_zipf"
    zipf_exponent: Annotated[float, AtLeast(0, real=True)] = 1.0
    zipf_offset: Annotated[float | None, AtLeast(0, real=True, optional=True)] = None
    dying_share: Annotated[float, InRange(0, 1)] = 0.05

    def _make_aux_zipf(self, plan: Plan) -> Term:
        k_aux = plan.n_features if self.k_aux is None else int(self.k_aux)
        densities = self._densities(plan.n_components)
        return AuxZipf(k_aux, densities, self.dying_share, self._weigh_aux(1 / 32))

    def _densities(self, n_components: int) -> Tensor:
        """Densities by rank that Zipf's law lets one expect."""
        k = min(self.k, n_components)
        offset = k if self.zipf_offset is None else self.zipf_offset
        return zipf_densities(n_components, k, self.zipf_exponent, offset)
