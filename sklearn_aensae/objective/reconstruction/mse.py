"""Mean squared error."""

from torch import Tensor

from sklearn_aensae.kernels import mean_squared_error
from sklearn_aensae.modules import Autoencoder, SAEOutput
from sklearn_aensae.objective.base import Term

__all__ = ["MSE"]


class MSE(Term):
    """Squared error, mean over the batch and over features."""

    def forward(self, x: Tensor, output: SAEOutput, module: Autoencoder) -> Tensor:
        """Mean of (what is wanted - reconstruction)^2."""
        return mean_squared_error(output.reconstruction, output.wanted(x))
