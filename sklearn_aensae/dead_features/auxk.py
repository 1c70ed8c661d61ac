"""AuxK: dead features learn to reconstruct what the live ones left over."""

from collections.abc import Callable

import torch
from torch import Tensor

from sklearn_aensae.dead_features.base import DeadTerm
from sklearn_aensae.kernels import ActiveCodes, Selected, active_encode, select_top, select_top_by
from sklearn_aensae.modules import Autoencoder, SAEOutput

__all__ = ["AuxK"]


class AuxK(DeadTerm):
    r"""Reconstruction of the residual by the `k_aux` largest pre-codes among dead components.

    .. math:: \lVert e - \hat e \rVert^2 / \lVert e \rVert^2, \qquad
              e = x - \hat x \ \text{(detached)}, \quad
              \hat e = D_{dead}^\top \mathrm{ReLU}(\mathrm{TopK}_{k_{aux}}(W_{dead}(x - b) + c))

    Dead means silent for the tracker's whole window. The set is looked up every
    32 batches, so that nothing is spent while no feature is dead, and only dead rows of the
    weights are touched. The residual holds no bias, so none is added here: decoding with the
    bias would push it. The residual's energy normalises (authors' code: its variance in the
    batch, which a batch of one row does not have). With the ReLU, as published, a feature whose
    pre-codes are negative on every row gets no gradient here either: that revives the weak, which
    are never among the largest. Where every positive pre-code is active, the dead have none, and
    `rectified=False` takes the largest pre-codes as they are, whatever their sign; then b, too,
    is a constant here, or it would move to where the dead fire.

    Parameters
    ----------
    k_aux : int
        Most dead components per row that take part.
    weight : float, default=1/32
        Factor of the term.
    rectified : bool, default=True
        Whether negative pre-codes count as 0.

    References
    ----------
    :arxiv:`Gao et al. (2024). Scaling and evaluating sparse autoencoders <2406.04093>`,
    section 2.4 and appendix A.2.
    """

    def __init__(self, k_aux: int, weight: float = 1 / 32, *, rectified: bool = True) -> None:
        super().__init__(weight)
        self.k_aux = k_aux
        self.rectified = rectified

    def forward(self, x: Tensor, output: SAEOutput, module: Autoencoder) -> Tensor:
        """Normalised error of the dead components' reconstruction; 0 while none is dead."""
        self.refresh(module)
        if not self.dead_indices.numel():
            return x.new_zeros(())
        residual = (output.wanted(x) - self.reconstruction(output, module)).detach()
        encoder, decoder = module.encoder, module.decoder
        values, pattern = active_encode(
            x,
            encoder.weight,
            encoder.bias,
            module.offset if self.rectified else module.offset.detach(),
            self.selection(min(self.k_aux, self.dead_indices.numel()), output, module),
            subset=self.dead_indices,
        )
        codes = ActiveCodes(torch.relu(values) if self.rectified else values, pattern)
        error = (residual - codes.decode(decoder.atoms)).square().sum()
        return error / residual.square().sum().clamp(min=1e-12)

    def reconstruction(self, output: SAEOutput, module: Autoencoder) -> Tensor:
        """Return what live components make of the batch: it leaves the residual over."""
        return output.reconstruction

    def selection(
        self, k: int, output: SAEOutput, module: Autoencoder
    ) -> Callable[[Tensor], Selected]:
        """Return what chooses `k` dead components per row, block of rows after block of rows."""
        if module.decoder.keeps_unit_norms:
            return lambda block: select_top(block, k)
        # What counts is what a component would add, whoever of the two has the norm.
        norms = module.decoder.norms().detach()[self.dead_indices]
        return lambda block: select_top_by(block, block * norms, k)
