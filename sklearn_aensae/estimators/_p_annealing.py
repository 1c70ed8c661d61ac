"""Sparse autoencoder with p-annealing."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from sklearn_aensae.estimators._penalised import PenalisedSAE
from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.objective import Term
from sklearn_aensae.objective.penalties import AnnealedLp
from sklearn_aensae.params import AtLeast, InRange, Length

__all__ = ["PAnnealingSAE"]


@dataclass(eq=False, repr=False, kw_only=True)
class PAnnealingSAE(PenalisedSAE):
    r"""Sparse autoencoder whose penalty turns from L1 towards L0 while it trains.

    .. math::
        L = \frac{1}{Bn} \sum_{i=1}^{B} \lVert x_i - \hat x_i \rVert^2
            + \frac{\lambda_t}{B} \sum_{i,j} \big( (h_{ij} + \epsilon)^{p_t} - \epsilon^{p_t} \big)

    with codes, units and reductions as in :class:`L1SAE`. An L1 penalty trains well but shrinks
    large codes; with p < 1 a large code pays less than in proportion and a small one more, so
    what is active is shrunk less and there are fewer small codes. The objective is no longer
    convex in the codes: hence p starts at 1 and falls, in `n_updates` equal steps. With each,
    :math:`\lambda` is multiplied by the quotient of the penalties before and after over the
    last batches, so that the penalty itself does not jump.

    The published penalty is :math:`h^p`, whose gradient has no bound at 0, and whose curvature
    drives small codes apart, to 0 or away from it, so fast that two trainings whose weights differ
    by 1e-15 end in different places. The small :math:`\epsilon` bounds both: the slope at 0 is
    :math:`p \epsilon^{p-1}`.

    Parameters
    ----------
    {n_components}
    lambda_1 : float, default=0.005
        Strength of the penalty as training begins, at p = 1.
    p_end : float, default=0.2
        Last p, above 0 (Karvonen et al. 2024); 1 gives :class:`L1SAE`.
    n_updates : int, default=10
        Number of changes of p (authors' code).
    smoothing : float, default=0.3
        :math:`\epsilon`, in the units of training, in which rows have mean norm sqrt(n_features);
        most codes are far larger there. Our choice: in our test, codes of two trainings that
        differ by rounding were 1e-8 apart after 480 steps with 0.2, and 1e-10 with 0.3.
        Towards 0 the penalty is the published one.
    anneal_start, anneal_end : int or float, default=0.1 and 0.8
        When p begins to fall and has reached `p_end`: steps (int) or shares of training (float).
        Our choice: after the warm-up, and before the learning rate falls. Published code: from
        step 15,000 to the end.
    lambda_warmup : int or float, default=0.05
        Linear rise from 0 of the penalty: steps (int) or a share of training (float).
    {target_parameters}
    {revival_parameters}
    {shared_parameters}

    Attributes
    ----------
    p_ : float
        p in the last step.
    lambda_p_ : float
        :math:`\lambda_t` in the last step.
    {penalised_attributes}
    {shared_attributes}

    References
    ----------
    Karvonen et al. (2024). Measuring progress in dictionary learning for language model
    interpretability with board game models. :arxiv:`2408.00113`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import PAnnealingSAE
    >>> X = load_digits().data
    >>> sae = PAnnealingSAE(128, lambda_1=0.01, max_epochs=2, random_state=0).fit(X)
    >>> sae.transform(X).shape, round(sae.p_, 3)
    ((1797, 128), 0.2)
    """

    _driven_term: ClassVar[str] = "lp"

    p_end: Annotated[float, InRange(0, 1, open_low=True)] = 0.2
    n_updates: Annotated[int, AtLeast(1)] = 10
    smoothing: Annotated[float, InRange(0, float("inf"), open_low=True, open_high=True)] = 0.3
    anneal_start: Annotated[int | float, Length()] = 0.1
    anneal_end: Annotated[int | float, Length()] = 0.8

    def _make_terms(self, plan: Plan) -> dict[str, Term]:
        start, end = plan.steps(self.anneal_start), plan.steps(self.anneal_end)
        if start > end:
            raise ValueError(
                f"anneal_start must not come after anneal_end={self.anneal_end}, which is step "
                f"{end}; got {self.anneal_start}, which is step {start}."
            )
        exponents = self.p_end, self.n_updates
        penalty = AnnealedLp(
            self.lambda_1, *exponents, epsilon=self.smoothing, start=start, end=end
        )
        return {"lp": penalty}

    def _write_fitted(self) -> None:
        super()._write_fitted()
        term = self.net_.criterion_.terms["lp"]
        self.p_ = term.p
        self.lambda_p_ = float(term.weight * term.scale)
