"""AuxK of one layer of a tree: dead components learn where their parents are active."""

from collections.abc import Callable

import torch
from torch import Tensor

from sklearn_aensae.dead_features.auxk import AuxK
from sklearn_aensae.kernels import ActiveCodes, Selected, select_top, without_padding
from sklearn_aensae.modules import Autoencoder, SAEOutput
from sklearn_aensae.modules.activations import Tree

__all__ = ["LayerAuxK"]


class LayerAuxK(AuxK):
    """Reconstruction of what the layers up to one leave over, by dead components of that one.

    Only those take part in a row whose parent is active in it. Everything else is as in AuxK:
    the residual is detached, its energy normalises, and no bias is added (authors' code: not
    detached, variance per row, with the bias, which it thereby trains).

    Parameters
    ----------
    layer : slice
        Components of the layer.
    k_aux : int
        Most dead components per row that take part.
    weight : float, default=1/32
        Factor of the term.

    References
    ----------
    :arxiv:`Cao et al. (2026). Tree SAE <2605.07922>`, equation 8.
    """

    def __init__(self, layer: slice, k_aux: int, weight: float = 1 / 32) -> None:
        super().__init__(k_aux, weight)
        self.layer = layer

    def reconstruction(self, output: SAEOutput, module: Autoencoder) -> Tensor:
        """Return what the layers up to this one make of the batch."""
        n_components, stop = output.codes.n_components, self.layer.stop
        if stop == n_components:
            return output.reconstruction
        with torch.no_grad():
            prefix = module.decoder.groups(output.codes, [stop, n_components])[0]
            return prefix + module.decoder.bias

    def find(self, module: Autoencoder) -> Tensor:
        """Mask of the dead components of this layer."""
        dead = super().find(module)
        kept = torch.zeros_like(dead)
        kept[self.layer] = dead[self.layer]
        return kept

    def selection(
        self, k: int, output: SAEOutput, module: Autoencoder
    ) -> Callable[[Tensor], Selected]:
        """Return what chooses among dead components whose parent is active."""
        tree, codes = module.activation, output.codes
        assert isinstance(tree, Tree) and isinstance(codes, ActiveCodes)
        if not self.layer.start:
            # The root is always active.
            return super().selection(k, output, module)
        is_open = tree.has_active_parent(codes, self.dead_indices)
        start = 0

        def select(block: Tensor) -> Selected:
            nonlocal start
            rows, start = is_open[start : start + len(block)], start + len(block)
            top = select_top(block * rows, k)
            return without_padding(top.values.view(-1, k), top.columns.view(-1, k))

        return select
