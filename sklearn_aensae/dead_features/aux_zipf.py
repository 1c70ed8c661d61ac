"""aux_zipf: AuxK for dying components, too, which fire less than Zipf's law lets one expect."""

import torch
from torch import Tensor

from sklearn_aensae.dead_features.auxk import AuxK
from sklearn_aensae.modules import Autoencoder

__all__ = ["AuxZipf"]


class AuxZipf(AuxK):
    r"""AuxK whose set holds the components that are dead or dying.

    .. math:: U = \{ j : \rho_j < c \, \min(d_{r(j)}, \bar d) \} \cup \{\text{dead}\}

    for the firing density :math:`\rho_j` over the tracker's window, its rank :math:`r(j)` among
    all, the density :math:`d_r` that Zipf's law gives that rank, and the mean :math:`\bar d` of
    those: where densities are more even than the law, the first ranks are no cause for alarm.
    With c = 0, this is AuxK.

    The paper says that aux_zipf generalises AuxK to underused features; this set is our own
    parametrisation of that, and so is the default of c.

    Parameters
    ----------
    k_aux : int
        Most components of the set per row that take part.
    densities : Tensor of shape (n_components,)
        :math:`d_r`, in falling order.
    share : float
        c.
    weight : float, default=1/32
        Factor of the term.

    References
    ----------
    :arxiv:`Ayonrinde (2024). Adaptive sparse allocation with mutual choice and feature choice
    sparse autoencoders <2411.02124>`.
    """

    bounds: Tensor

    def __init__(self, k_aux: int, densities: Tensor, share: float, weight: float = 1 / 32) -> None:
        super().__init__(k_aux, weight)
        bounds = share * densities.clamp(max=densities.mean())
        self.register_buffer("bounds", bounds, persistent=False)

    def find(self, module: Autoencoder) -> Tensor:
        """Mask of the components that take part: dead, or used less than their rank suggests."""
        dead = super().find(module)
        if not module.tracker.n_previous:
            # Too early to tell: no window of densities has passed yet.
            return dead
        density, order = module.tracker.density().sort(descending=True, stable=True)
        return dead | torch.zeros_like(dead).index_put_((order,), density < self.bounds)
