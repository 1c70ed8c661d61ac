"""Tree: the largest pre-codes of each layer are active, among those whose parent is."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sklearn_aensae.kernels import ActiveCodes, Selected, select_top, without_padding
from sklearn_aensae.kernels.workspace import current_workspace
from sklearn_aensae.modules.activations.base import Activation

__all__ = ["ROOT", "Tree"]

ROOT = -1
"""The parent of components that may always be active."""


class Tree(Activation):
    """ReLU of the `layer_k[l]` largest pre-codes of each layer whose parent exceeds `tau`.

    Layers are decided on in their order, as a parent is a component of an earlier layer, or the
    root, which is always active. Components of the first layer hang from the root.

    Parameters
    ----------
    bounds : sequence of int, of length n_layers
        Ascending: layer l ends before component `bounds[l]`.
    layer_k : sequence of int, of length n_layers
        Most active components per row of each layer.
    tau : float
        What the code of a parent must exceed, in the units of training.

    Attributes
    ----------
    parents : integer Tensor of shape (n_components,)
        Parent of each component; -1 for the root.
    capacities : Tensor of shape (n_layers - 1, 1 + n_parents)
        What is left to explain under the root and under each component before the last layer:
        for the components of layer l in row l - 1. Gathered and used up by reallocation.
    """

    parents: Tensor
    capacities: Tensor

    def __init__(self, bounds: Sequence[int], layer_k: Sequence[int], tau: float) -> None:
        super().__init__()
        self.layers = [slice(*ends) for ends in zip([0, *bounds[:-1]], bounds, strict=True)]
        self.layer_k = list(layer_k)
        self.tau = tau
        self.n_parents = self.layers[-1].start
        self.register_buffer("parents", torch.full((bounds[-1],), ROOT))
        self.register_buffer("capacities", torch.zeros(len(bounds) - 1, 1 + self.n_parents))

    def initialize_(self, generator: torch.Generator) -> None:
        """Draw each parent uniformly from the root and all components of earlier layers."""
        for layer in self.layers[1:]:
            shape = (layer.stop - layer.start,)
            self.parents[layer] = torch.randint(ROOT, layer.start, shape, generator=generator)

    def take_over(self, previous: Activation) -> None:
        """Keep the tree of an earlier fit."""
        assert isinstance(previous, Tree)
        if previous.layers != self.layers:
            ends = [[layer.stop for layer in tree.layers] for tree in (previous, self)]
            raise ValueError(
                "warm_start=True needs the layers of the last fit: they ended at components "
                f"{ends[0]} and would now end at {ends[1]}."
            )
        self.parents.copy_(previous.parents)

    def select(self, block: Tensor) -> Selected:
        """Choose the largest entries of each layer among those whose parent was chosen."""
        workspace, n_rows = current_workspace(), len(block)
        # Ones and zeros; the first column is the root's.
        is_active = workspace.scratch("active_parents", (n_rows, 1 + self.n_parents), block)
        is_active.zero_()[:, 0] = 1
        chosen = []
        for layer, k in zip(self.layers, self.layer_k, strict=True):
            candidates = block[:, layer]
            if layer.start:
                opened = workspace.scratch("opened", tuple(candidates.shape), block)
                torch.index_select(is_active, 1, self.parents[layer] + 1, out=opened)
                # An entry with a silent parent is 0: it has neither a code nor a gradient.
                candidates = opened.mul_(candidates)
            values, columns = (part.view(n_rows, k) for part in select_top(candidates, k)[:2])
            chosen.append((values, columns + layer.start))
            if layer.stop <= self.n_parents:
                is_active.scatter_(1, columns + layer.start + 1, (values > self.tau).to(block))
        values, columns = (torch.cat(parts, 1) for parts in zip(*chosen, strict=True))
        return without_padding(values, columns)

    def has_active_parent(self, codes: ActiveCodes, components: Tensor) -> Tensor:
        """Whether the parent of each of some components is active.

        Parameters
        ----------
        codes : ActiveCodes of shape (batch, n_components)
            Of this activation.
        components : integer Tensor of shape (n_asked,)
            Components.

        Returns
        -------
        bool Tensor of shape (batch, n_asked)
        """
        values, pattern = codes.values.detach(), codes.pattern
        shape = (codes.n_rows, 1 + codes.n_components)
        is_active = torch.zeros(shape, dtype=torch.bool, device=values.device)
        is_active[:, 0] = True
        is_active[pattern.rows, pattern.columns + 1] = values > self.tau
        return is_active[:, self.parents[components] + 1]

    def extra_repr(self) -> str:
        """Show the layers in the module's repr."""
        ends = [layer.stop for layer in self.layers]
        return f"bounds={ends}, layer_k={self.layer_k}, tau={self.tau}"
