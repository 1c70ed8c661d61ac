"""Which components fired, and how long ago: counted on the device, without reading it."""

import torch
from torch import Tensor, nn

from sklearn_aensae.kernels import Codes

__all__ = ["FiringTracker"]


class FiringTracker(nn.Module):
    """Counts, per component, the samples since it last fired and its firings of late.

    Parameters
    ----------
    n_components : int
        Number of components.

    Attributes
    ----------
    window : int
        A component is dead when it has not fired in this many samples.
    density_window : int
        Every so many samples the firing counts move on, so that `density` covers the last one
        to two of these windows and forgets what came before.
    """

    samples_since_fired: Tensor
    counts: Tensor
    previous_counts: Tensor

    def __init__(self, n_components: int) -> None:
        super().__init__()
        self.window = 1
        self.density_window = 1
        self.n_seen = 0
        self.n_counted = 0
        self.n_previous = 0
        for name in ("samples_since_fired", "counts", "previous_counts"):
            self.register_buffer(name, torch.zeros(n_components, dtype=torch.long))

    @torch.no_grad()
    def update(self, codes: Codes) -> None:
        """Count one batch."""
        fired = codes.firing_counts
        self.samples_since_fired.add_(codes.n_rows).masked_fill_(fired > 0, 0)
        self.counts.add_(fired)
        self.n_seen += codes.n_rows
        self.n_counted += codes.n_rows
        if self.n_counted >= self.density_window:
            self.previous_counts.copy_(self.counts)
            self.counts.zero_()
            self.n_previous, self.n_counted = self.n_counted, 0

    @property
    def effective_window(self) -> int:
        """Samples over which silence means death: the window, or all samples if fewer came."""
        return min(self.window, self.n_seen)

    @property
    def n_density_samples(self) -> int:
        """Number of samples behind `density`."""
        return self.n_previous + self.n_counted

    def dead(self) -> Tensor:
        """Mask of shape (n_components,): silent in the last `effective_window` samples."""
        return self.samples_since_fired >= max(self.effective_window, 1)

    def density(self) -> Tensor:
        """Share of the last `n_density_samples` samples in which each component fired."""
        return (self.previous_counts + self.counts) / max(self.n_density_samples, 1)

    def get_extra_state(self) -> dict[str, int]:
        """Counters that live on the host, for the state dict."""
        names = ("window", "density_window", "n_seen", "n_counted", "n_previous")
        return {name: getattr(self, name) for name in names}

    def set_extra_state(self, state: dict[str, int]) -> None:
        """Restore the counters that live on the host."""
        for name, value in state.items():
            setattr(self, name, value)
