"""JumpReLU sparse autoencoder."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from skorch.callbacks import Callback

from sklearn_aensae.estimators._plan import Plan, check_target
from sklearn_aensae.estimators._reviving import RevivingSAE
from sklearn_aensae.modules.activations import Activation, JumpReLU
from sklearn_aensae.objective import Term
from sklearn_aensae.objective.penalties import GateSum, Tanh, TargetL0
from sklearn_aensae.params import AtLeast, Boolean, InRange, Length, OneOf
from sklearn_aensae.training import PenaltyWarmUp

__all__ = ["JumpReLUSAE"]

LAMBDA_0, LAMBDA_0_OF_TARGET = 0.003, 1.0
"""Default strengths, in variances of the rows: of what each active component costs, and of the
distance from a target."""

THRESHOLD, BANDWIDTH = 0.5, 1.0
"""Default first thresholds and width of the slope, in standard deviations of the rows."""

WARMUP, WARMUP_TO_TARGET = 0.05, 1.0
"""Default shares of training over which these rise."""

POSITIVE = InRange(0, float("inf"), open_low=True, open_high=True)


@dataclass(eq=False, repr=False, kw_only=True)
class JumpReLUSAE(RevivingSAE):
    r"""Sparse autoencoder with a learned threshold per component and a penalty on L0.

    .. math::
        p = W (x - b) + c, \qquad h = p \, H(p - t), \qquad \hat x = D^\top h + b, \qquad
        L = \frac{1}{Bn} \sum_{i=1}^{B} \lVert x_i - \hat x_i \rVert^2
            + \frac{\lambda_0}{B} \sum_{i,j} H(p_{ij} - t_j)

    for batches of B rows with n features, in the units of training (`input_scaling`), with the
    step function H and thresholds t > 0, one per component. What is active is not shrunk. The
    step's gradient is that of a slope of width `bandwidth` around t: where no pre-code comes
    that close, a threshold never moves, and L0 stays what it is whatever `lambda_0`. The
    logarithm of t is trained: with Adam, a step moves t by about a factor of `exp(learning_rate)`.

    Rows have a mean square of 1, so a component is worth its price where it explains more than
    the share `lambda_0` of a row. Where the error is summed over features, as in the papers,
    their :math:`\lambda` is `n_features * lambda_0`.

    Parameters
    ----------
    {n_components}
    lambda_0 : float or None, default=None
        Strength of the penalty. None means 0.003, or 1.0 with `target_l0`, times the variance of
        the rows in the units of training: with "mean_norm", that is 1 less the share of energy
        that their mean has. Where that is large, all there is to explain is small.
    target_l0 : float or None, default=None
        Mean number of active components to aim at, less than there are; the penalty is then
        :math:`\lambda_0 (L_0 / L_0^* - 1)^2`, with the L0 of each batch (Rajamanoharan et al.), and
        its tangent from a tenth away from the target on (our choice: the slope of the square,
        where codes are dense, silences most components). A small `lambda_0` leaves L0 above it.
    penalty : {"l0", "tanh"}, default="l0"
        "tanh" penalises :math:`\sum_j \tanh(s h_{ij})` instead of L0 (Anthropic 2025; atoms have
        norm 1, so the norm in its formula is left out).
    tanh_scale : float, default=4.0
        s of the tanh penalty (Anthropic 2025).
    initial_threshold : float or None, default=None
        t at the start, in the units of training. None is half the standard deviation of the
        rows there (0.4 for the packaged language model, 0.06 where a mean is 99 % of the rows'
        energy). Published: 0.1 (Anthropic 2025, scaled as by "mean_norm") and 0.001 (Rajamanoharan
        et al.), for many more steps.
    bandwidth : float or None, default=None
        Width of the slope, in the same units. None is the standard deviation of the rows: from
        0 to twice the initial threshold. What a narrower one leaves behind as t rises gets no
        gradient any more. Published: 0.001 (Rajamanoharan et al.); 2.0 (Anthropic 2025).
    ste_to_input : bool, default=True
        Whether the slope's gradient reaches pre-codes as well (our reading of Anthropic 2025);
        False for thresholds only (Rajamanoharan et al.), which takes far longer to get sparse.
    dead_features : {"pre_activation", "auxk", "ghost", None}, default="pre_activation"
        "pre_activation" adds :math:`\sum_j \mathrm{ReLU}(t_j - p_{ij})` over dead components
        (Anthropic 2025; over dead ones only, as in SAELens); "auxk" and "ghost" as in
        :class:`L1SAE`, on pre-codes: thresholds they do not move.
    aux_coefficient : float or None, default=None
        Factor of that. None means 3e-6 for "pre_activation" (Anthropic 2025, where errors are
        summed over features; nothing else moves a dead component, and the size of Adam's steps
        does not depend on it), 1/32 for "auxk" and 1 for "ghost".
    k_aux : int or None, default=None
        Most dead features per row in AuxK; None means n_features / 2.
    lambda_warmup : int, float or None, default=None
        Linear rise from 0 of all penalties: steps (int) or a share of training (float). None
        means 0.05, or 1.0 with `target_l0`: of a fast fall of L0, components are silent for good.
        Anthropic (2025): 1.0.
    {shared_parameters}

    Attributes
    ----------
    threshold_ : ndarray of shape (n_components,)
        t, in the units of `X`, as the biases: a component is active where its pre-code exceeds it.
    {shared_attributes}

    References
    ----------
    Rajamanoharan et al. (2024). Jumping ahead: improving reconstruction fidelity with JumpReLU
    sparse autoencoders. :arxiv:`2407.14435`.

    Conerly et al. (2025). Circuits updates, January 2025. transformer-circuits.pub.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import JumpReLUSAE
    >>> X = load_digits().data
    >>> sae = JumpReLUSAE(128, max_epochs=2, random_state=0).fit(X)
    >>> codes = sae.transform(X)
    >>> bool((codes[codes > 0] > sae.threshold_.min()).all())
    True
    """

    lambda_0: Annotated[float | None, AtLeast(0, real=True, optional=True)] = None
    target_l0: Annotated[float | None, AtLeast(1, real=True, optional=True)] = None
    penalty: Annotated[str, OneOf("l0", "tanh")] = "l0"
    tanh_scale: Annotated[float, POSITIVE] = 4.0
    initial_threshold: Annotated[float | None, replace(POSITIVE, optional=True)] = None
    bandwidth: Annotated[float | None, replace(POSITIVE, optional=True)] = None
    ste_to_input: Annotated[bool, Boolean()] = True
    dead_features: Annotated[str | None, OneOf("pre_activation", "auxk", "ghost", None)] = (
        "pre_activation"
    )
    lambda_warmup: Annotated[int | float | None, Length(optional=True)] = None

    _fires_if_positive: ClassVar[bool] = True

    def _make_activation(self, plan: Plan) -> Activation:
        deviation = plan.variance**0.5
        start = THRESHOLD * deviation if self.initial_threshold is None else self.initial_threshold
        bandwidth = BANDWIDTH * deviation if self.bandwidth is None else self.bandwidth
        return JumpReLU(plan.n_components, bandwidth, start, self.ste_to_input)

    def _make_terms(self, plan: Plan) -> dict[str, Term]:
        if self.penalty == "tanh" and self.target_l0 is not None:
            raise ValueError(
                f"target_l0={self.target_l0} needs penalty='l0': the tanh penalty does not count."
            )
        if self.target_l0 is not None:
            check_target(self.target_l0, plan)
        strength = self.lambda_0
        if strength is None:
            share = LAMBDA_0 if self.target_l0 is None else LAMBDA_0_OF_TARGET
            strength = share * plan.variance
        if self.penalty == "tanh":
            penalty: Term = Tanh(self.tanh_scale, strength)
        elif self.target_l0 is not None:
            penalty = TargetL0(self.target_l0, strength)
        else:
            penalty = GateSum(strength)
        return {"sparsity": penalty}

    def _make_callbacks(self, plan: Plan) -> list[tuple[str, Callback]]:
        length = self.lambda_warmup
        if length is None:
            length = WARMUP if self.target_l0 is None else WARMUP_TO_TARGET
        n_steps = plan.steps(length)
        return [("penalty_warm_up", PenaltyWarmUp(n_steps))] if n_steps else []
