"""BatchTopK sparse autoencoder."""

from dataclasses import dataclass

from sklearn_aensae.estimators._budget import BudgetSAE
from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.modules.activations import Activation, BatchTopK

__all__ = ["BatchTopKSAE"]


@dataclass(eq=False, repr=False, kw_only=True)
class BatchTopKSAE(BudgetSAE):
    r"""Sparse autoencoder that keeps the `k` times B largest codes of a batch of B rows.

    .. math::
        h = \mathrm{ReLU}(\mathrm{TopK}_{kB}(W (x - b) + c)) \ \text{over the whole batch}, \qquad
        \hat x = D^\top h + b

    with the loss of :class:`TopKSAE`. A row that needs more components than others gets them. In
    `transform`, a component is active where its pre-code exceeds `threshold_`: one number, set
    after training so that the mean training row has `k` active components. So codes do not
    depend on the other rows. Published code takes the running mean of the smallest active
    pre-code of a batch instead, which depends on the batch size.

    Parameters
    ----------
    {n_components}
    k : int, default=32
        Active components of the mean row; more than `n_components` means all of them.
    {topk_parameters}
    {shared_parameters}

    Attributes
    ----------
    {calibrated_attributes}
    {shared_attributes}

    References
    ----------
    Bussmann, Leask and Nanda (2024). BatchTopK sparse autoencoders. :arxiv:`2412.06410`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import BatchTopKSAE
    >>> X = load_digits().data
    >>> codes = BatchTopKSAE(128, k=8, max_epochs=2, random_state=0).fit_transform(X)
    >>> round(float((codes > 0).sum(axis=1).mean()), 1)
    8.0
    """

    def _make_activation(self, plan: Plan) -> Activation:
        return BatchTopK(min(self.k, plan.n_components))
