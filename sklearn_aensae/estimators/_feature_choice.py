"""Feature Choice sparse autoencoder."""

from dataclasses import dataclass

from sklearn_aensae._warnings import warn
from sklearn_aensae.estimators._mutual_choice import MutualChoiceSAE
from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.modules.activations import Activation, FeatureChoice

__all__ = ["FeatureChoiceSAE"]


@dataclass(eq=False, repr=False, kw_only=True)
class FeatureChoiceSAE(MutualChoiceSAE):
    r"""Sparse autoencoder whose components each choose the rows on which they are active.

    .. math::
        h = \mathrm{ReLU}(S \odot (W (x - b) + c)), \qquad
        \textstyle\sum_i S_{ij} \le m_j, \quad \sum_j m_j = k B, \qquad \hat x = D^\top h + b

    where S in {0, 1} chooses, for component j, the :math:`m_j` rows of the batch with its largest
    pre-codes. A quota is :math:`m_j = B d_{r(j)}`, with the component's rank r among all and

    .. math:: d_r = \min(1, C (r + q)^{-a}), \qquad \textstyle\sum_r d_r = k

    (Zipf's law, or Mandelbrot's for q > 0). So no component can die of being outbid; one that is
    negative on every row still can, and fires less than its quota says. On the other hand a
    component fires even if nothing it stands for is in the batch: choose `batch_size` so large
    that the rarest has a quota of some rows; below one, `fit` warns.

    In `transform`, component j is active where its pre-code exceeds `threshold_[j]`. `fit` sets
    the thresholds after training, so that each component fires on the share :math:`d_{r(j)}` of
    the training rows.

    That quotas follow Zipf's law is the paper's. Its formulas for quotas, ranks and thresholds
    were not at hand: those here are our own parametrisation, defaults included. Quotas are
    rounded up and down in turn, and ranks follow what a component would get in
    :class:`MutualChoiceSAE`, every 50 batches.

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
    >>> from sklearn_aensae import FeatureChoiceSAE
    >>> X = load_digits().data
    >>> sae = FeatureChoiceSAE(128, k=8, max_epochs=2, random_state=0).fit(X)
    >>> sae.n_dead_, sae.threshold_.shape
    (0, (128,))
    """

    def _make_activation(self, plan: Plan) -> Activation:
        n_components = plan.n_components
        return FeatureChoice(min(self.k, n_components), self._densities(n_components))

    def _check_plan(self, plan: Plan) -> None:
        least = self.batch_size * float(self._densities(plan.n_components)[-1])
        if least < 1:
            warn(
                f"the rarest of {plan.n_components} components have a quota of {least:.2g} codes "
                f"per batch: with less than one, they are silent in some batches. A larger "
                f"batch_size ({self.batch_size}), a larger k ({self.k}) or fewer components help.",
            )
