"""L1 sparse autoencoder whose atoms may have any norm."""

from dataclasses import dataclass

from sklearn_aensae.estimators._exact import ExactCodingSAE
from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.modules.decoders import FreeDecoder
from sklearn_aensae.modules.encoder import LinearEncoder
from sklearn_aensae.objective import Term
from sklearn_aensae.objective.penalties import DecoderNormL1

__all__ = ["DecoderNormL1SAE"]


@dataclass(eq=False, repr=False, kw_only=True)
class DecoderNormL1SAE(ExactCodingSAE):
    r"""Sparse autoencoder with an L1 penalty on codes times the norms of their atoms.

    .. math::
        h = \mathrm{ReLU}(W x + c), \qquad \hat x = D^\top h + b, \qquad
        L = \frac{1}{Bn} \sum_{i=1}^{B} \lVert x_i - \hat x_i \rVert^2
            + \frac{\lambda_1}{B} \sum_{i=1}^{B} \sum_j h_{ij} \lVert d_j \rVert

    with units and reductions as in :class:`L1SAE`. An atom may have any norm in training: if it
    grows and its encoder row and bias shrink alike, the loss stays what it is. So nothing has to
    be projected after a step, and the optimiser moves norm and direction together. The encoder
    does not subtract b, which learns from the reconstruction alone. In its place training
    subtracts the mean of a sample of rows, unless `init="paper"`, and c takes that over in the end:
    the map is the same, but no step moves all pre-codes along with the mean of the rows (our
    choice: where that is large, most features would die).

    After training the norms are folded into encoder and codes. `components_`, biases and codes
    are those of atoms of unit norm, as in all estimators; the weights as they were trained are in
    `net_.module_`.

    The recipe of Anthropic (April 2024) is `lambda_1 = 5 / n_features` (their error is summed
    over features), `learning_rate=5e-5`, `lr_warmup=0`, a `batch_size` of 2,048 to 4,096, some
    200,000 steps, and gradients clipped to a norm of 1. In the scale of this loss that norm is
    `1 / n_features`: ``callbacks=[GradientNormClipping(1 / n_features)]`` with skorch's callback.
    It takes neither resampling nor an auxiliary loss. Its atoms start with a norm of 0.1,
    encoders equal to them and biases at 0; ours as `init` says, so that fewer steps will do.

    Parameters
    ----------
    {n_components}
    lambda_1 : float, default=0.005
        Strength of the penalty; as in :class:`L1SAE`, with unit atoms.
    lambda_warmup : int or float, default=0.05
        Linear rise from 0 of the penalty: steps (int) or a share of training (float). The default
        is Anthropic's.
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
    Conerly et al. (2024). Circuits updates, April 2024: Update on how we train SAEs.
    transformer-circuits.pub.

    Cunningham et al. (2023). Sparse autoencoders find highly interpretable features in language
    models. :arxiv:`2309.08600`. The penalty without norms, on unit atoms.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import DecoderNormL1SAE
    >>> X = load_digits().data
    >>> sae = DecoderNormL1SAE(128, lambda_1=0.01, max_epochs=2, random_state=0).fit(X)
    >>> sae.transform(X).shape
    (1797, 128)
    >>> bool(np.allclose(np.linalg.norm(sae.components_, axis=1), 1))
    True
    """

    def _make_encoder(self, plan: Plan) -> LinearEncoder:
        return LinearEncoder(plan.n_features, plan.n_components, is_centred=False)

    def _make_decoder(self, plan: Plan) -> FreeDecoder:
        return FreeDecoder(plan.n_features, plan.n_components)

    def _make_terms(self, plan: Plan) -> dict[str, Term]:
        return {"l1": DecoderNormL1(self.lambda_1)}
