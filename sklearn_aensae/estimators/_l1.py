"""L1 sparse autoencoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from skorch.callbacks import Callback

from sklearn_aensae.estimators._build import Plan
from sklearn_aensae.estimators._reviving import RevivingSAE
from sklearn_aensae.modules.activations import Activation, ReLU
from sklearn_aensae.objective import Term
from sklearn_aensae.objective.penalties import L1
from sklearn_aensae.params import AtLeast, Length, OneOf, Where
from sklearn_aensae.training import PenaltyWarmUp, Resampling

__all__ = ["L1SAE"]

MOMENT = Length(low=1)
MOMENTS = Where(
    "a list of steps (ints >= 1) or shares of training (floats in (0.0, 1.0])",
    lambda values: isinstance(values, list | tuple) and all(map(MOMENT.accepts, values)),
)


@dataclass(eq=False, repr=False, kw_only=True)
class L1SAE(RevivingSAE):
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
    {revival_parameters}
    {shared_parameters}

    Attributes
    ----------
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

    lambda_1: Annotated[float, AtLeast(0, real=True)] = 0.005
    lambda_warmup: Annotated[int | float, Length()] = 0.05
    dead_features: Annotated[str | None, OneOf("auxk", "ghost", "resample", None)] = None
    resample_at: Annotated[Sequence[float], MOMENTS] = (0.125, 0.25, 0.375, 0.5)

    _fires_if_positive: ClassVar[bool] = True

    def _make_activation(self, n_components: int) -> Activation:
        return ReLU()

    def _make_terms(self, plan: Plan) -> dict[str, Term]:
        return {"l1": L1(self.lambda_1)}

    def _make_resample(self, plan: Plan) -> Callback:
        return Resampling([max(1, plan.steps(at)) for at in self.resample_at], self._seed)

    def _make_callbacks(self, plan: Plan) -> list[tuple[str, Callback]]:
        n_steps = plan.steps(self.lambda_warmup)
        return [("penalty_warm_up", PenaltyWarmUp(n_steps))] if n_steps else []
