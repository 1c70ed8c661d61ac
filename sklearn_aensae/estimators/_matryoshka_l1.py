"""Matryoshka sparse autoencoder with L1 penalties."""

from dataclasses import dataclass

from sklearn_aensae.estimators._nested import NestedSAE
from sklearn_aensae.estimators._penalised import PenalisedSAE
from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.objective import Term
from sklearn_aensae.objective.penalties import NestedL1

__all__ = ["MatryoshkaL1SAE"]


@dataclass(eq=False, repr=False, kw_only=True)
class MatryoshkaL1SAE(NestedSAE, PenalisedSAE):
    r"""L1 autoencoder whose first components must reconstruct on their own.

    .. math::
        L = \sum_{l=1}^{G} w_l \, \Big( \frac{1}{Bn} \sum_i
            \lVert x_i - b - D_{1:m_l}^\top h_{i, 1:m_l} \rVert^2
            + \frac{\lambda_1}{B} \sum_i \sum_{j \le m_l} h_{ij} \Big), \qquad
        m_1 < \dots < m_G = n_{components}

    with the codes of :class:`L1SAE` and the levels of :class:`MatryoshkaSAE`. A component pays
    the penalty in each level that has it, as it earns in each of them; `lambda_1` therefore
    means what it means in :class:`L1SAE`, to which a single level or `beta=0` reduce.

    Parameters
    ----------
    {n_components}
    lambda_1 : float, default=0.005
        Strength of the L1 penalty.
    lambda_warmup : int or float, default=0.05
        Linear rise from 0 of all penalties: steps (int) or a share of training (float).
    {nested_parameters}
    {target_parameters}
    {revival_parameters}
    {shared_parameters}

    Attributes
    ----------
    {nested_attributes}
    {penalised_attributes}
    {shared_attributes}

    References
    ----------
    Chanin, Dulka and Garriga-Alonso (2025). Feature hedging: correlated features break narrow
    sparse autoencoders. :arxiv:`2505.11756`.

    Bussmann, Nabeshima, Karvonen and Nanda (2025). Learning multi-level features with Matryoshka
    sparse autoencoders. :arxiv:`2503.17547`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import MatryoshkaL1SAE
    >>> X = load_digits().data
    >>> sae = MatryoshkaL1SAE(128, widths=[16, 0.5], beta=0.25, max_epochs=2, random_state=0)
    >>> sae.fit(X).widths_, sae.level_weights_
    (array([ 16,  64, 128]), array([0.0625, 0.25  , 1.    ]))
    """

    def _make_terms(self, plan: Plan) -> dict[str, Term]:
        return {"l1": NestedL1(*self._levels(plan), self.lambda_1, self.detached)}
