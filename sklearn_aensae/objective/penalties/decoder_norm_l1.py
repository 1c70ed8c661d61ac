"""L1 penalty in which a code counts times the norm of its atom."""

from collections.abc import Sequence

from torch import Tensor

from sklearn_aensae.modules import Autoencoder, SAEOutput
from sklearn_aensae.objective.base import Term

__all__ = ["DecoderNormL1"]


class DecoderNormL1(Term):
    """Sum over components of code times norm of the atom, mean over the batch.

    What an atom gains in norm its codes may lose without a change of the penalty, so that it
    needs no constraint on norms. Its gradient on the atoms is dense, as their norms' is.

    Parameters
    ----------
    weight : float
        Factor of the term.
    view_sizes : sequence of int, default=()
        If the features are several views side by side: the columns of each. An atom then counts
        with the sum of the norms of its parts, which leaves it free to be 0 in some views.
    """

    def __init__(self, weight: float, view_sizes: Sequence[int] = ()) -> None:
        super().__init__(weight)
        self.view_sizes = tuple(view_sizes)

    def forward(self, x: Tensor, output: SAEOutput, module: Autoencoder) -> Tensor:
        """Mean weighted L1 norm of the codes."""
        decoder, sizes = module.decoder, self.view_sizes
        norms = decoder.view_norms(sizes).sum(1) if sizes else decoder.norms()
        return output.codes.component_sums @ norms / output.codes.n_rows
