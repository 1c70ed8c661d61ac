"""L1 sparse autoencoder."""

from dataclasses import dataclass

from sklearn_aensae.estimators._exact import ExactCodingSAE
from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.objective import Term
from sklearn_aensae.objective.penalties import L1

__all__ = ["L1SAE"]


@dataclass(eq=False, repr=False, kw_only=True)
class L1SAE(ExactCodingSAE):
    r"""Sparse autoencoder with an L1 penalty on its codes.

    .. math::
        h = \mathrm{ReLU}(W (x - b) + c), \qquad \hat x = D^\top h + b, \qquad
        L = \frac{1}{Bn} \sum_{i=1}^{B} \lVert x_i - \hat x_i \rVert^2
            + \frac{\lambda_1}{B} \sum_{i=1}^{B} \sum_j h_{ij}

    for batches of B rows with n features, in the units of training (`input_scaling`). The
    reconstruction error is a mean over rows and features, the penalty a sum over components
    and a mean over rows, as in the AEN-SAE paper. Where the error is summed over features, the
    same penalty is `n_features * lambda_1`; scikit-learn's `alpha` in `DictionaryLearning`,
    whose error is halved as well, is `n_features * lambda_1 / 2`.

    Parameters
    ----------
    {n_components}
    lambda_1 : float, default=0.005
        Strength of the L1 penalty.
    lambda_warmup : int or float, default=0.05
        Linear rise from 0 of all penalties: steps (int) or a share of training (float).
    {target_parameters}
    {revival_parameters}
    {exact_parameters}
    {shared_parameters}

    Attributes
    ----------
    {penalised_attributes}
    {shared_attributes}

    References
    ----------
    Cunningham et al. (2023). Sparse autoencoders find highly interpretable features in language
    models. :arxiv:`2309.08600`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import L1SAE
    >>> X = load_digits().data
    >>> L1SAE(128, lambda_1=0.01, max_epochs=2, random_state=0).fit_transform(X).shape
    (1797, 128)
    """

    def _make_terms(self, plan: Plan) -> dict[str, Term]:
        return {"l1": L1(self.lambda_1)}
