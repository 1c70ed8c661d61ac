"""The objective: a named sum of terms."""

from torch import Tensor, nn

from sklearn_aensae.modules import Autoencoder, SAEOutput
from sklearn_aensae.objective.base import Term

__all__ = ["Objective"]


class Objective(nn.Module):
    """Weighted sum of terms.

    Parameters
    ----------
    terms : dict of str to Term
        The summands, by the names under which they appear in `history_`.
    control : nn.Module or None, default=None
        State of what drives the weight of a term in training, to be saved along.

    Attributes
    ----------
    last_values : dict of str to Tensor
        Weighted value of each term in the last call, detached, on the device.
    """

    def __init__(self, terms: dict[str, Term], control: nn.Module | None = None) -> None:
        super().__init__()
        self.terms = nn.ModuleDict(terms)
        self.control = control
        self.last_values: dict[str, Tensor] = {}

    def forward(self, x: Tensor, output: SAEOutput, module: Autoencoder) -> Tensor:
        """Value of the objective, as a 0-d tensor."""
        values = {name: term.weight * term(x, output, module) for name, term in self.terms.items()}
        self.last_values = {name: value.detach() for name, value in values.items()}
        return sum(values.values(), start=x.new_zeros(()))
