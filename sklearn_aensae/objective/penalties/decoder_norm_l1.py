"""L1 penalty in which a code counts times the norm of its atom."""

from torch import Tensor

from sklearn_aensae.modules import Autoencoder, SAEOutput
from sklearn_aensae.objective.base import Term

__all__ = ["DecoderNormL1"]


class DecoderNormL1(Term):
    """Sum over components of code times norm of the atom, mean over the batch.

    What an atom gains in norm its codes may lose without a change of the penalty, so that it
    needs no constraint on norms. Its gradient on the atoms is dense, as their norms' is.
    """

    def forward(self, x: Tensor, output: SAEOutput, module: Autoencoder) -> Tensor:
        """Mean weighted L1 norm of the codes."""
        return output.codes.component_sums @ module.decoder.norms() / output.codes.n_rows
