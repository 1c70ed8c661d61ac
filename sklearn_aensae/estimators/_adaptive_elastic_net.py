"""Adaptive elastic net sparse autoencoder (AEN-SAE)."""

from dataclasses import dataclass

from sklearn_aensae.estimators._adaptive_lasso import AdaptiveLassoSAE
from sklearn_aensae.estimators._elastic_net import ElasticNetSAE

__all__ = ["AdaptiveElasticNetSAE"]


@dataclass(eq=False, repr=False, kw_only=True)
class AdaptiveElasticNetSAE(ElasticNetSAE, AdaptiveLassoSAE):
    r"""Sparse autoencoder with an adaptive L1 and a squared L2 penalty on its codes (AEN-SAE).

    .. math::
        L = \frac{1}{Bn} \sum_{i=1}^{B} \lVert x_i - \hat x_i \rVert^2
            + \frac{\lambda_1}{B} \sum_{i,j} \tilde w_j h_{ij}
            + \frac{\lambda_2}{B} \sum_{i,j} h_{ij}^2

    with codes, units and reductions as in :class:`L1SAE` and weights :math:`\tilde w_j` as in
    :class:`AdaptiveLassoSAE`. In the paper's argument, the L2 term makes codes a stable function of
    the input, so that a shallow encoder can follow it, and the weights spare strong features and
    suppress spurious ones, without resampling or masks; docs/feature_starvation.md has what
    measurements say.

    In the textbook scaling :math:`\frac12 \lVert x - \hat x \rVert^2 + l_1 w^\top h +
    \frac{l_2}{2} \lVert h \rVert^2`: :math:`l_1 = n \lambda_1 / 2` and :math:`l_2 = n \lambda_2`.
    Published values of `lambda_1` and `lambda_2` can be typed in as they are, once rows are scaled
    as there: `input_scaling="sample_norm"` for language models, None for synthetic data.

    Parameters
    ----------
    {n_components}
    lambda_1 : float, default=0.005
        Strength of the L1 penalty.
    lambda_2 : float, default=1e-4
        Strength of the squared L2 penalty.
    lambda_warmup : int or float, default=0.05
        Linear rise from 0 of all penalties: steps (int) or a share of training (float).
    {adaptive_parameters}
    {target_parameters}
    {revival_parameters}
    {exact_parameters}
    {shared_parameters}

    Attributes
    ----------
    {adaptive_attributes}
    {penalised_attributes}
    lambda_2_ : float
        Strength of the L2 penalty as training ended, less than `lambda_2` before its warm-up has:
        that of exact codes.
    {shared_attributes}

    References
    ----------
    Feature Starvation as Geometric Instability in Sparse Autoencoders (2026).
    :arxiv:`2605.05341`.

    Zou and Zhang (2009). On the adaptive elastic-net with a diverging number of parameters.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import AdaptiveElasticNetSAE
    >>> X = load_digits().data
    >>> sae = AdaptiveElasticNetSAE(128, random_state=0).fit(X)
    >>> sae.transform(X).shape
    (1797, 128)
    >>> sae.score(X) > 0.7
    True
    """
