"""What estimators with a choice of `dead_features` share: what each name stands for."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from skorch.callbacks import Callback

from sklearn_aensae.dead_features import AuxK, Ghost, PreActivation
from sklearn_aensae.estimators._base import BaseSAE
from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.objective import Term
from sklearn_aensae.params import AtLeast

__all__ = ["RevivingSAE"]


@dataclass(eq=False, repr=False, kw_only=True)
class RevivingSAE(BaseSAE):
    """Turns the name in `dead_features` into a term or a callback: that of `_make_<name>`."""

    dead_features: str | None = None
    aux_coefficient: Annotated[float | None, AtLeast(0, real=True, optional=True)] = None
    k_aux: Annotated[int | None, AtLeast(1, optional=True)] = None

    _fires_if_positive: ClassVar[bool] = False
    """Whether it takes no competition to be active, so that dead pre-codes are negative."""

    def _make_dead_features(self, plan: Plan) -> dict[str, Term | Callback]:
        name = self.dead_features
        return {} if name is None else {name: getattr(self, f"_make_{name}")(plan)}

    def _make_auxk(self, plan: Plan) -> Term:
        rectified = not self._fires_if_positive
        return AuxK(self._count_aux(plan), self._weigh_aux(1 / 32), rectified=rectified)

    def _make_ghost(self, plan: Plan) -> Term:
        return Ghost(self._weigh_aux(1.0))

    def _make_pre_activation(self, plan: Plan) -> Term:
        return PreActivation(self._weigh_aux(3e-6))

    def _count_aux(self, plan: Plan) -> int:
        """Components per row that AuxK lets take part."""
        return max(1, plan.n_outputs // 2) if self.k_aux is None else int(self.k_aux)

    def _weigh_aux(self, published: float) -> float:
        """Factor of a term, by default the published one."""
        return published if self.aux_coefficient is None else self.aux_coefficient
