"""What estimators share that leave the number of active codes to a penalty."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from skorch.callbacks import Callback

from sklearn_aensae.estimators._build import Plan
from sklearn_aensae.estimators._reviving import RevivingSAE
from sklearn_aensae.modules.activations import Activation, ReLU
from sklearn_aensae.objective import Term
from sklearn_aensae.params import AtLeast, Length, OneOf, Where
from sklearn_aensae.training import PenaltyWarmUp, Resampling

__all__ = ["PenalisedSAE"]

MOMENT = Length(low=1)
MOMENTS = Where(
    "a list of steps (ints >= 1) or shares of training (floats in (0.0, 1.0])",
    lambda values: isinstance(values, list | tuple) and all(map(MOMENT.accepts, values)),
)


@dataclass(eq=False, repr=False, kw_only=True)
class PenalisedSAE(RevivingSAE):
    """Has ReLU codes, an L1 penalty that warms up, and any strategy for dead features."""

    lambda_1: Annotated[float, AtLeast(0, real=True)] = 0.005
    lambda_warmup: Annotated[int | float, Length()] = 0.05
    dead_features: Annotated[str | None, OneOf("auxk", "ghost", "resample", None)] = None
    resample_at: Annotated[Sequence[float], MOMENTS] = (0.125, 0.25, 0.375, 0.5)

    _fires_if_positive: ClassVar[bool] = True

    def _make_activation(self, n_components: int) -> Activation:
        return ReLU()

    @abstractmethod
    def _make_terms(self, plan: Plan) -> dict[str, Term]:
        """Penalties of the codes."""

    def _make_resample(self, plan: Plan) -> Callback:
        return Resampling([max(1, plan.steps(at)) for at in self.resample_at], self._seed)

    def _make_callbacks(self, plan: Plan) -> list[tuple[str, Callback]]:
        n_steps = plan.steps(self.lambda_warmup)
        return [("penalty_warm_up", PenaltyWarmUp(n_steps))] if n_steps else []
