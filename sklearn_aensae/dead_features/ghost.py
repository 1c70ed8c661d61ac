"""Ghost gradients: dead components learn by the exponential of their pre-codes."""

import torch
from torch import Tensor
from torch.nn import functional

from sklearn_aensae.dead_features.base import DeadTerm
from sklearn_aensae.modules import Autoencoder, SAEOutput

__all__ = ["Ghost"]

SMALLEST = 1e-12
"""Keeps quotients finite where there is nothing left over."""


class Ghost(DeadTerm):
    r"""Error of what dead components would make of the residual, scaled to the reconstruction's.

    .. math::
        g_i = D_{dead}^\top \exp(W_{dead} (x_i - b) + c), \qquad
        \hat e_i = \frac{\lVert e_i \rVert}{2 \lVert g_i \rVert} \, g_i, \qquad
        \frac{\lVert e \rVert^2}{\lVert e - \hat e \rVert^2} \, \frac{1}{Bn}
            \sum_i \lVert e_i - \hat e_i \rVert^2

    for the residual e; the two quotients of norms and e itself are constants to the gradient. So
    the value is that of the mean squared error, and the gradient reaches the weights of dead
    components and nothing else: not even b, which it would push. An exponential has a gradient
    everywhere, so that components come back whose pre-codes are negative on every row. Its
    argument is shifted by the largest of each row: that cancels out, and nothing overflows.

    Parameters
    ----------
    weight : float, default=1.0
        Factor of the term.

    References
    ----------
    Jermyn and Templeton (2024). Ghost grads: an improvement on resampling. Circuits updates,
    January 2024. transformer-circuits.pub.
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__(weight)

    def forward(self, x: Tensor, output: SAEOutput, module: Autoencoder) -> Tensor:
        """Value of the mean squared error, gradient of the dead; 0 while none is dead."""
        self.refresh(module)
        dead = self.dead_indices
        if not dead.numel():
            return x.new_zeros(())
        residual = (output.wanted(x) - output.reconstruction).detach()
        weight, bias = module.encoder.weight, module.encoder.bias
        pre_codes = functional.linear(
            x - module.offset.detach(), weight.index_select(0, dead), bias.index_select(0, dead)
        )
        largest = pre_codes.detach().amax(1, keepdim=True)
        ghosts = torch.exp(pre_codes - largest) @ module.decoder.dictionary().index_select(0, dead)
        norms = torch.linalg.vector_norm(ghosts.detach(), dim=1, keepdim=True)
        lengths = torch.linalg.vector_norm(residual, dim=1, keepdim=True)
        scaled = ghosts * (lengths / (2 * norms).clamp(min=SMALLEST))
        error = (residual - scaled).square().mean()
        factor = residual.square().mean() / error.detach().clamp(min=SMALLEST)
        ghost: Tensor = factor * error
        return ghost
