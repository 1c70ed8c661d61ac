"""The linear decoder whose atoms may have any norm."""

from typing import ClassVar

from sklearn_aensae.modules.decoders.linear import LinearDecoder

__all__ = ["FreeDecoder"]


class FreeDecoder(LinearDecoder):
    """Sum of atoms of any norm, each times its code, plus a bias.

    For training only: what users see is `Autoencoder.folded`, with atoms of unit norm. The
    activation must be positively homogeneous, as ReLU is.

    Parameters
    ----------
    n_features, n_components : int
        Sizes of the output and of the code.
    """

    has_unit_atoms: ClassVar[bool] = False
    folds_norms: ClassVar[bool] = True

    def constrain_(self) -> None:
        """Leave the atoms as the optimiser has left them."""
