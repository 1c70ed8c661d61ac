"""Transcoder: sparse codes of one space that reconstruct another."""

from dataclasses import dataclass
from typing import Annotated

from torch import nn

from sklearn_aensae.estimators._fitted import read_module, to_array
from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.estimators._targets import TargetedSAE
from sklearn_aensae.estimators._topk import TopKSAE
from sklearn_aensae.modules.encoder import LinearEncoder
from sklearn_aensae.params import Boolean

__all__ = ["Transcoder"]


@dataclass(eq=False, repr=False, kw_only=True)
class Transcoder(TargetedSAE, TopKSAE):
    r"""Sparse codes of `X` that reconstruct `y`: of what goes into a layer, what comes out of it.

    .. math::
        h = \mathrm{ReLU}(\mathrm{TopK}_k(W x + c)), \qquad \hat y = D^\top h + b \; (+ S x), \qquad
        L = \frac{\frac{1}{Bm} \sum_i \lVert y_i - \hat y_i \rVert^2}{\mathrm{Var}(y)}
            + \alpha \, L_{AuxK}

    for targets with m columns. The bias b belongs to the space of y, so that the encoder does not
    subtract it; AuxK lets dead features reconstruct what is left over of y. With `skip`, a linear
    map S takes over what is linear in the relation, and codes are left with the rest.

    X and y are scaled by a factor each. Codes come out in the units of y, as do biases;
    `components_` and `decoder_bias_` have n_targets columns. :math:`\hat y` is
    `codes @ components_ + decoder_bias_`, plus `X @ skip_weights_` with `skip`: that is not in the
    codes, so `inverse_transform(codes)` leaves it out. With `input_scaling="sample_norm"` a
    target is divided by the norm of its row of X, and a prediction multiplied by it.

    `init="data"` starts b at the mean of y, S at 0, and the encoder at D times the linear
    regression of y on x and one factor: with y = x, this is the tied start of :class:`TopKSAE`.
    With it, the mean of x is subtracted in training, and c takes it over in the end, as in
    :class:`DecoderNormL1SAE` (both are our choice). `k_aux=None` means n_targets / 2.

    Parameters
    ----------
    {n_components}
    k : int, default=32
        Most active components per row; more than `n_components` means all of them.
    skip : bool, default=False
        Whether a linear map of x is added to the reconstruction (Paulo et al. 2025).
    {multi_parameters}
    {topk_parameters}
    {shared_parameters}

    Attributes
    ----------
    skip_weights_ : ndarray of shape (n_features, n_targets) or None
        S, transposed, from the units of X to those of y; None without `skip`.
    target_scale_ : float
        Factor from the units of y to those of training, as `input_scale_` for X.
    {shared_attributes}

    References
    ----------
    Dunefsky, Chlenski and Nanda (2024). Transcoders find interpretable LLM feature circuits.
    :arxiv:`2406.11944`.

    Paulo, Shabalin and Belrose (2025). Transcoders beat sparse autoencoders for interpretability.
    :arxiv:`2501.18823`.

    Examples
    --------
    The squares of the pixels from the pixels:

    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import Transcoder
    >>> X = load_digits().data
    >>> transcoder = Transcoder(128, k=8, max_epochs=2, random_state=0).fit(X, X**2)
    >>> transcoder.transform(X).shape, transcoder.predict(X).shape
    ((1797, 128), (1797, 64))
    """

    skip: Annotated[bool, Boolean()] = False

    def _make_encoder(self, plan: Plan) -> LinearEncoder:
        return LinearEncoder(plan.n_features, plan.n_components, is_centred=False)

    def _make_skip(self, plan: Plan) -> nn.Linear | None:
        if not self.skip:
            return None
        skip = nn.Linear(plan.n_features, plan.n_outputs, bias=False)
        nn.init.zeros_(skip.weight)
        return skip

    def _write_fitted(self) -> None:
        super()._write_fitted()
        skip = read_module(self).skip
        self.skip_weights_ = None if skip is None else to_array(skip.weight.T)
