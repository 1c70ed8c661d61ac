"""What estimators share that are given a number of active codes."""

from dataclasses import dataclass
from typing import Annotated

from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.estimators._reviving import RevivingSAE
from sklearn_aensae.objective import Term
from sklearn_aensae.objective.reconstruction import MSE
from sklearn_aensae.params import AtLeast, OneOf

__all__ = ["BudgetSAE"]


@dataclass(eq=False, repr=False, kw_only=True)
class BudgetSAE(RevivingSAE):
    """Has `k` codes per row, an error relative to the data's variance, and AuxK."""

    k: Annotated[int, AtLeast(1)] = 32
    dead_features: Annotated[str | None, OneOf("auxk", None)] = "auxk"

    def _make_reconstruction(self, plan: Plan) -> Term:
        return MSE(1 / plan.variance)
