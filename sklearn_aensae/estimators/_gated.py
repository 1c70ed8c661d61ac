"""Gated sparse autoencoder."""

from dataclasses import dataclass
from typing import Annotated

from sklearn_aensae.estimators._fitted import in_input_units, to_array
from sklearn_aensae.estimators._penalised import PenalisedSAE
from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.modules.activations import Activation, Gated
from sklearn_aensae.objective import Term
from sklearn_aensae.objective.penalties import GateSum
from sklearn_aensae.objective.reconstruction import GateReconstruction
from sklearn_aensae.params import AtLeast

__all__ = ["GatedSAE"]


@dataclass(eq=False, repr=False, kw_only=True)
class GatedSAE(PenalisedSAE):
    r"""Sparse autoencoder whose gates decide who is active, and other parameters how strongly.

    .. math::
        p = W (x - b) + c, \qquad
        h = H(p) \, \mathrm{ReLU}\big(e^{r} (p - c) + m\big), \qquad \hat x = D^\top h + b

    .. math::
        L = \frac{1}{Bn} \sum_{i=1}^{B} \Big( \lVert x_i - \hat x_i \rVert^2
            + \alpha \lVert x_i - \bar D^\top \mathrm{ReLU}(p_i) - \bar b \rVert^2 \Big)
            + \frac{\lambda_1}{B} \sum_{i,j} \mathrm{ReLU}(p_{ij})

    with the step function H, units and reductions as in :class:`L1SAE`; r and m are one number
    per component. The penalty shrinks the gates and not the codes. As H has no gradient, gates
    learn from the penalty and from what they would reconstruct themselves; :math:`\bar D, \bar b`
    are a frozen copy of the decoder, which that error does not move. It does move b where the
    encoder subtracts it.

    Where the error is summed over features, as in the paper, both errors are n_features times as
    large: its :math:`\lambda` is `n_features * lambda_1`.

    Parameters
    ----------
    {n_components}
    lambda_1 : float, default=0.005
        Strength of the L1 penalty on the gates; as in :class:`L1SAE`, for want of a published
        value that does not depend on the data.
    gate_coefficient : float, default=1.0
        :math:`\alpha`, the factor of the gates' own reconstruction error; 1 in the paper.
    lambda_warmup : int or float, default=0.05
        Linear rise from 0 of the penalty: steps (int) or a share of training (float).
    {target_parameters}
    {revival_parameters}
    {shared_parameters}

    Attributes
    ----------
    magnitude_scale_ : ndarray of shape (n_components,)
        :math:`e^r`, without units.
    magnitude_bias_ : ndarray of shape (n_components,)
        m, in the units of `X`, as the other biases. Magnitudes are
        `magnitude_scale_ * (pre_codes - encoder_bias_) + magnitude_bias_`.
    magnitude_threshold_ : ndarray of shape (n_components,)
        `magnitude_bias_ - magnitude_scale_ * encoder_bias_`: a component is active where its
        magnitude exceeds this and 0. So a gated SAE is a JumpReLU SAE of its magnitudes.
    {penalised_attributes}
    {shared_attributes}

    References
    ----------
    Rajamanoharan et al. (2024). Improving dictionary learning with gated sparse autoencoders.
    :arxiv:`2404.16014`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import GatedSAE
    >>> X = load_digits().data
    >>> sae = GatedSAE(128, lambda_1=0.02, max_epochs=2, random_state=0).fit(X)
    >>> sae.transform(X).shape, sae.magnitude_scale_.shape
    ((1797, 128), (128,))
    """

    gate_coefficient: Annotated[float, AtLeast(0, real=True)] = 1.0

    def _make_activation(self, plan: Plan) -> Activation:
        return Gated(plan.n_components)

    def _make_terms(self, plan: Plan) -> dict[str, Term]:
        return {
            "gate_reconstruction": GateReconstruction(self.gate_coefficient),
            "l1": GateSum(self.lambda_1),
        }

    def _write_fitted(self) -> None:
        super()._write_fitted()
        module = self.net_.module_
        activation, bias = module.activation, module.encoder.bias
        self.magnitude_scale_ = to_array(activation.log_scale.exp())
        self.magnitude_bias_ = in_input_units(self, activation.magnitude_bias)
        self.magnitude_threshold_ = in_input_units(self, activation.magnitude_threshold(bias))
