"""What estimators share that leave the number of active codes to a penalty."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from skorch.callbacks import Callback

from sklearn_aensae.estimators._plan import Plan, check_target
from sklearn_aensae.estimators._reviving import RevivingSAE
from sklearn_aensae.modules.activations import Activation, ReLU
from sklearn_aensae.objective import Term
from sklearn_aensae.params import AtLeast, Length, OneOf, Where
from sklearn_aensae.training import L0Control, PenaltyControl, PenaltyWarmUp, Resampling
from sklearn_aensae.training.schedules import warm_up_share

__all__ = ["PenalisedSAE"]

MOMENT = Length(low=1)
MOMENTS = Where(
    "a list of steps (ints >= 1) or shares of training (floats in (0.0, 1.0])",
    lambda values: isinstance(values, list | tuple) and all(map(MOMENT.accepts, values)),
)


@dataclass(eq=False, repr=False, kw_only=True)
class PenalisedSAE(RevivingSAE):
    """Has ReLU codes, a penalty that warms up or aims at an L0, and any way with dead features."""

    lambda_1: Annotated[float, AtLeast(0, real=True)] = 0.005
    target_l0: Annotated[float | None, AtLeast(1, real=True, optional=True)] = None
    lambda_warmup: Annotated[int | float, Length()] = 0.05
    dead_features: Annotated[str | None, OneOf("auxk", "ghost", "resample", None)] = None
    resample_at: Annotated[Sequence[float], MOMENTS] = (0.125, 0.25, 0.375, 0.5)

    _driven_term: ClassVar[str] = "l1"
    """Name of the term whose weight is `lambda_1`."""

    _fires_if_positive: ClassVar[bool] = True

    def _make_activation(self, plan: Plan) -> Activation:
        return ReLU()

    @abstractmethod
    def _make_terms(self, plan: Plan) -> dict[str, Term]:
        """Penalties of the codes."""

    def _make_resample(self, plan: Plan) -> Callback:
        return Resampling([max(1, plan.steps(at)) for at in self.resample_at], self._seed)

    def _make_callbacks(self, plan: Plan) -> list[tuple[str, Callback]]:
        n_steps = plan.steps(self.lambda_warmup)
        callbacks: list[tuple[str, Callback]] = []
        if n_steps:
            callbacks.append(("penalty_warm_up", PenaltyWarmUp(n_steps)))
        if self.target_l0 is not None:
            control = PenaltyControl(self._driven_term, n_steps, self.learning_rate)
            callbacks.append(("penalty_control", control))
        return callbacks

    def _make_control(self, plan: Plan) -> L0Control | None:
        if self.target_l0 is None:
            return None
        if self.lambda_1 == 0:
            raise ValueError(
                f"target_l0={self.target_l0} needs lambda_1 > 0 to start from; got lambda_1=0."
            )
        check_target(self.target_l0, plan)
        return L0Control(self.lambda_1, self.target_l0, plan.steps(1.0))

    def _write_fitted(self) -> None:
        super()._write_fitted()
        self._write_strength()

    def _write_strength(self) -> None:
        control = self.net_.criterion_.control
        strength = self._trained_with["lambda_1"] if control is None else control.coding_strength()
        self.lambda_1_ = self._risen_share() * float(strength)

    def _risen_share(self) -> float:
        """Share of their strengths that penalties had in the last step: 1, after the warm-up."""
        n_steps = self._plan.steps(self._trained_with["lambda_warmup"])
        return warm_up_share(max(0, self.net_.n_steps_ - 1), n_steps)
