"""Matryoshka sparse autoencoder."""

from dataclasses import dataclass

from sklearn_aensae.estimators._batch_topk import BatchTopKSAE
from sklearn_aensae.estimators._nested import NestedSAE

__all__ = ["MatryoshkaSAE"]


@dataclass(eq=False, repr=False, kw_only=True)
class MatryoshkaSAE(NestedSAE, BatchTopKSAE):
    r"""BatchTopK autoencoder whose first components must reconstruct on their own.

    .. math::
        L = \frac{1}{\mathrm{Var}(x)} \sum_{l=1}^{G} w_l \, \frac{1}{Bn} \sum_i
            \lVert x_i - b - D_{1:m_l}^\top h_{i, 1:m_l} \rVert^2 + \alpha \, L_{AuxK}, \qquad
        m_1 < \dots < m_G = n_{components}

    with the codes of :class:`BatchTopKSAE`, chosen among all components, and AuxK on what all of
    them leave over. The first components learn what is general: a component further out can take
    over a part of it only where that pays without it, too. In a plain autoencoder a general
    feature stays silent where a special one occurs, as one code costs less than two (absorption).

    The weights :math:`w_l = \beta^{G-l}` are those of balanced Matryoshka (Chanin et al.): the
    few components of an inner level also hedge, that is, mix features that occur together. A
    smaller `beta` leaves less of that, and more absorption. `beta=0` is :class:`BatchTopKSAE`,
    as is a single level; `beta=1`, the default, is the sum over levels.

    The outermost level has weight 1, so `aux_coefficient` means what it means in
    :class:`BatchTopKSAE`. Others normalise otherwise: Bussmann et al. take the mean over levels
    and one more error, that of :math:`b` alone; SAELens takes the sum, as here;
    dictionary_learning weighs a level 1/G and takes the mean, that is 1/G² each; Chanin et al.
    divide the sum by G where `beta` exceeds 1.

    Parameters
    ----------
    {n_components}
    k : int, default=32
        Active components of the mean row; more than `n_components` means all of them.
    {nested_parameters}
    {topk_parameters}
    {shared_parameters}

    Attributes
    ----------
    {nested_attributes}
    {calibrated_attributes}
    {shared_attributes}

    References
    ----------
    Bussmann, Nabeshima, Karvonen and Nanda (2025). Learning multi-level features with Matryoshka
    sparse autoencoders. :arxiv:`2503.17547`.

    Chanin, Dulka and Garriga-Alonso (2025). Feature hedging: correlated features break narrow
    sparse autoencoders. :arxiv:`2505.11756`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import MatryoshkaSAE
    >>> X = load_digits().data
    >>> sae = MatryoshkaSAE(128, k=8, max_epochs=2, random_state=0).fit(X)
    >>> sae.widths_
    array([  4,  12,  28,  60, 128])

    The reconstruction by the first twelve components:

    >>> codes = sae.transform(X)
    >>> (codes[:, :12] @ sae.components_[:12] + sae.decoder_bias_).shape
    (1797, 64)
    """
