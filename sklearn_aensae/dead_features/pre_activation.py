"""Pre-activation loss: dead components' pre-codes and thresholds approach each other."""

import torch
from torch import Tensor
from torch.nn import functional

from sklearn_aensae.dead_features.base import DeadTerm
from sklearn_aensae.modules import Autoencoder, SAEOutput

__all__ = ["PreActivation"]


class PreActivation(DeadTerm):
    r"""How far dead pre-codes lie below their thresholds: :math:`\sum_j \mathrm{ReLU}(t_j - p_j)`.

    The sum is over dead components, the mean over the batch. Unlike AuxK, this moves components
    whose pre-codes are negative on every row, too. For activations with thresholds.

    Parameters
    ----------
    weight : float
        Factor of the term.

    References
    ----------
    Conerly et al. (2025). Circuits updates, January 2025. transformer-circuits.pub.
    """

    def forward(self, x: Tensor, output: SAEOutput, module: Autoencoder) -> Tensor:
        """Mean distance of the dead components; 0 while none is dead."""
        self.refresh(module)
        dead = self.dead_indices
        if not dead.numel():
            return x.new_zeros(())
        encoder = module.encoder
        centered = x - module.offset
        pre_codes = functional.linear(centered, encoder.weight[dead], encoder.bias[dead])
        threshold = module.activation.threshold
        assert isinstance(threshold, Tensor)
        return torch.relu(threshold[dead] - pre_codes).sum() / len(x)
