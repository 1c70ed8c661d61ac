"""Sparse autoencoder with a polynomial decoder."""

from dataclasses import dataclass

from sklearn_aensae.estimators._polynomial import PolynomialSAE
from sklearn_aensae.estimators._topk import TopKSAE

__all__ = ["PolySAE"]


@dataclass(eq=False, repr=False, kw_only=True)
class PolySAE(PolynomialSAE, TopKSAE):
    r"""TopK autoencoder whose decoder also has terms for components that are active together.

    .. math::
        a = h U, \qquad
        \hat x = b + a C_1 + \lambda_2\, a_{1:R_2}^2 C_2 + \lambda_3\, a_{1:R_3}^3 C_3,
        \qquad U^\top U = I

    with the codes h and the loss of :class:`TopKSAE`. A linear decoder can only add up what
    components mean by themselves. Here a pair that is active together adds :math:`h_i h_j B_{ij}`,
    with :math:`B_{ij} = 2 \lambda_2 \sum_r U_{ir} U_{jr} C_{2r}`; `interaction` returns it, and
    `top_interactions` finds the largest. One U of shape (n_components, :math:`R_1`) serves all
    orders, so that interactions cost few parameters.

    Not as published: with `init="data"`, interactions start at 0 and training with the linear
    decoder of :class:`TopKSAE`; `init="paper"` draws random ones.

    The decoder is not homogeneous in the codes: decode with `inverse_transform`, which goes through
    the units of training. `components_` hold the linear term only, and so does what metrics say of
    them. AuxK decodes dead components by themselves, without what they would add together with
    live ones. Where `n_components` is no more than `n_features`, U is square and can only rotate,
    which trains slowly. A step costs a QR decomposition of U besides that of :class:`TopKSAE`.

    Parameters
    ----------
    {n_components}
    k : int, default=32
        Most active components per row; more than `n_components` means all of them.
    order : {1, 2, 3}, default=3
        Degree of the decoder; 1 is linear. A cubic one grows fast outside of the training data.
    ranks : list of int or None, default=None
        :math:`R_1 \ge R_2 \ge R_3`, one for each order, the first at most `n_features` and
        `n_components`. None: R_1 as large as that, the others 64, or R_1 if less (published for
        GPT-2 small, and 128 for larger models).
    {multi_parameters}
    {topk_parameters}
    {shared_parameters}

    Attributes
    ----------
    {shared_attributes}

    References
    ----------
    Koromilas, Demou, Oldfield, Panagakis and Nicolaou (2026). PolySAE: modeling feature
    interactions in sparse autoencoders via polynomial decoding. :arxiv:`2602.01322`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import PolySAE
    >>> X = load_digits().data
    >>> sae = PolySAE(128, k=8, max_epochs=2, random_state=0).fit(X)
    >>> pairs, strengths = sae.top_interactions(3)
    >>> pairs.shape, sae.interaction(*pairs[0]).shape
    ((3, 2), (64,))
    """
