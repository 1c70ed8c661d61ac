"""Adaptive lasso sparse autoencoder."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from sklearn_aensae.estimators._l1 import L1SAE
from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.objective import Term
from sklearn_aensae.objective.penalties import AdaptiveL1
from sklearn_aensae.objective.penalties.adaptive_l1 import CAPS, REFERENCES, STATISTICS
from sklearn_aensae.params import AtLeast, Boolean, InRange, Length, OneOf, Where

__all__ = ["AdaptiveLassoSAE"]

NAMED, QUANTILE = OneOf(*REFERENCES), InRange(0, 1)
REFERENCE = Where(
    f"{NAMED.describe()}, or a quantile ({QUANTILE.describe()})",
    lambda value: NAMED.accepts(value) or QUANTILE.accepts(value),
)


@dataclass(eq=False, repr=False, kw_only=True)
class AdaptiveLassoSAE(L1SAE):
    r"""Sparse autoencoder with an L1 penalty whose weights adapt to each component's activity.

    .. math::
        L = \frac{1}{Bn} \sum_{i=1}^{B} \lVert x_i - \hat x_i \rVert^2
            + \frac{\lambda_1}{B} \sum_{i,j} \tilde w_j h_{ij}, \qquad
        \tilde w_j = 1 + f(t) \big(\mathrm{cap}((R / a_j)^\gamma) - 1\big)

    with codes, units and reductions as in :class:`L1SAE`, :math:`a_j` a moving average of the
    activity of component j, :math:`R` a reference activity, and :math:`f` rising from 0 to 1; cap
    keeps weights between `weight_min` and `weight_max`.

    The defaults differ from the paper's rule, whose averages start at 1 without correction and
    count how often a feature fires rather than how strongly. For the rule as published, set
    ``ema_correction=False, weight_statistic="mean", weight_reference="top",
    normalize_weights=False, lambda_warmup=0, lr_warmup=0, lr_decay=0, init="paper"``.

    Parameters
    ----------
    {n_components}
    lambda_1 : float, default=0.005
        Strength of the L1 penalty.
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
    {shared_attributes}

    References
    ----------
    Zou (2006). The adaptive lasso and its oracle properties.

    Feature Starvation as Geometric Instability in Sparse Autoencoders (2026).
    :arxiv:`2605.05341`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import AdaptiveLassoSAE
    >>> sae = AdaptiveLassoSAE(128, gamma=1.0, max_epochs=2, random_state=0)
    >>> sae.fit(load_digits().data).adaptive_weights_.shape
    (128,)
    """

    gamma: Annotated[float, AtLeast(0, real=True)] = 0.5
    ema_beta: Annotated[float, InRange(0, 1, open_high=True)] = 0.999
    ema_correction: Annotated[bool, Boolean()] = True
    weight_statistic: Annotated[str, OneOf(*STATISTICS)] = "active_mean"
    weight_reference: Annotated[str | float, REFERENCE] = "median"
    weight_top_share: Annotated[float, InRange(0, 1, open_low=True)] = 0.01
    weight_min: Annotated[float, AtLeast(0, real=True)] = 0.1
    weight_max: Annotated[float, AtLeast(0, real=True)] = 10.0
    weight_cap: Annotated[str, OneOf(*CAPS)] = "hard"
    normalize_weights: Annotated[bool, Boolean()] = True
    adaptation_start: Annotated[int | float, Length()] = 0.2
    adaptation_ramp: Annotated[int | float, Length()] = 0.05

    def _make_terms(self, plan: Plan) -> dict[str, Term]:
        if self.weight_min > self.weight_max:
            raise ValueError(
                f"weight_min must be at most weight_max={self.weight_max}; got {self.weight_min}."
            )
        if self.weight_cap == "soft" and not 0 < self.weight_min < 1 < self.weight_max:
            raise ValueError(
                "weight_cap='soft' leaves a weight of 1 as it is: it needs 0 < weight_min < 1 < "
                f"weight_max; got weight_min={self.weight_min} and weight_max={self.weight_max}."
            )
        return {
            "l1": AdaptiveL1(
                plan.n_components,
                self.lambda_1,
                gamma=self.gamma,
                beta=self.ema_beta,
                ema_correction=self.ema_correction,
                statistic=self.weight_statistic,
                reference=self.weight_reference,
                top_share=self.weight_top_share,
                weight_min=self.weight_min,
                weight_max=self.weight_max,
                cap=self.weight_cap,
                normalize=self.normalize_weights,
                start=plan.steps(self.adaptation_start),
                ramp=plan.steps(self.adaptation_ramp),
            )
        }

    def _write_fitted(self) -> None:
        super()._write_fitted()
        term = self.net_.criterion_.terms["l1"]
        self.adaptive_weights_ = term.weights.cpu().numpy().copy()
        self.pinned_share_ = float(term.pinned_share())

    def _strengths(self) -> NDArray[np.floating]:
        strengths: NDArray[np.floating] = super()._strengths() * self.adaptive_weights_
        return strengths
