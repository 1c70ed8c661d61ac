"""Terms of dead components only: they look up now and then who is dead."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from sklearn_aensae.modules import Autoencoder
from sklearn_aensae.objective.base import Term

__all__ = ["DeadTerm"]

REFRESH_INTERVAL = 32
"""Batches between two looks at which components are dead: the one host read of these terms."""


class DeadTerm(Term):
    """A term that only dead components have, so that nothing is spent while there are none.

    Parameters
    ----------
    weight : float
        Factor of the term.

    Attributes
    ----------
    dead_indices : integer Tensor of shape (n_dead,)
        Components that were silent for the tracker's whole window when last looked up.
    """

    is_penalty: ClassVar[bool] = False

    def __init__(self, weight: float) -> None:
        super().__init__(weight)
        self.n_calls = 0
        self._found = torch.empty(0, dtype=torch.long)

    @property
    def dead_indices(self) -> Tensor:
        """Components that were silent for the tracker's whole window when last looked up."""
        return self._found.to(self.weight.device)

    def refresh(self, module: Autoencoder) -> None:
        """Look up, now and then in training, which components take part."""
        if not self.training:
            return
        if self.n_calls % REFRESH_INTERVAL == 0:
            self._found = self.find(module).nonzero().flatten()
        self.n_calls += 1

    def find(self, module: Autoencoder) -> Tensor:
        """Mask of the components that take part: silent for the whole window."""
        tracker = module.tracker
        return tracker.samples_since_fired >= tracker.window

    def get_extra_state(self) -> dict[str, Any]:
        """Return what lives outside the buffers, for the state dict."""
        return {"n_calls": self.n_calls, "dead_indices": self._found.tolist()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore what lives outside the buffers."""
        self.n_calls = state["n_calls"]
        self._found = torch.tensor(
            state["dead_indices"], dtype=torch.long, device=self.weight.device
        )
