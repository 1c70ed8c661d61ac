"""A decoder that fits the codes that there are: `refit_decoder`."""

from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sklearn_aensae.coding import NormalEquations
from sklearn_aensae.estimators import _coding
from sklearn_aensae.estimators._validation import validate_rows
from sklearn_aensae.modules.decoders import LinearDecoder
from sklearn_aensae.params import AtLeast
from sklearn_aensae.sources import Rows
from sklearn_aensae.training.interrupts import holding_ctrl_c

if TYPE_CHECKING:
    from sklearn_aensae.estimators._base import BaseSAE

__all__ = ["RefittingMixin", "refit"]

RIDGE = AtLeast(0, real=True)


class RefittingMixin:
    """Adds `refit_decoder`."""

    def refit_decoder(self, X: Any, ridge: float = 1.0) -> Self:
        r"""Fit atoms and decoder bias anew, by least squares, to the codes that rows have.

        .. math:: \min_{D, b} \sum_i \lVert x_i - D^\top h_i - b \rVert^2
            + \rho \sum_j m_j \lVert d_j - d_j^{old} \rVert^2

        in the units of `X`, with the codes h that `transform` gives now, and the mean
        :math:`m_j` of the squared codes of component j over the rows where it is active. Training
        under a penalty leaves codes, and with them reconstructions, too small; this undoes it
        where one factor per component will do. With the codes it was fitted to, the squared error
        on `X` never rises.

        Then atoms are brought back to unit norm, and codes of the encoder are what they were times
        the norms. The encoder chooses the same components as before: its bias takes over what
        changes in b. Exact, refined and debiased codes are found anew, on the new atoms. All fitted
        attributes follow, and what is saved.

        The normal equations are summed in float64 on the host, block by block, in
        :math:`8 (n_{components} + 1)^2` bytes, and as much again (without a ridge, twice as much)
        to solve them.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), memmap, shards or path
            Rows, such as those of `fit`; read in blocks. No stream.
        ridge : float, default=1.0
            :math:`\rho`: an old atom weighs as much as so many rows on which it is active. So a
            component that fires on few rows hardly moves, and one that does not fire keeps its
            atom. With 0 there is no ridge; what then is not determined changes least.

        Returns
        -------
        self : object
            The estimator, changed.

        Raises
        ------
        NotFittedError
            If there is no decoder yet.
        ValueError
            If `X` does not fit the fitted data, or `ridge` is not a number of at least 0.
        TypeError
            If atoms are not free to be fitted (`ArchetypalSAE`), the decoder is not linear
            (`PolySAE`), or targets are reconstructed (`Transcoder`).

        Notes
        -----
        Where components compete (`TopKSAE`, `TreeSAE` and all that share a budget), the encoder
        stays as it is, and `code_scale_` holds the norms: pre-codes that were multiplied by them
        would be chosen differently. If training goes on, atoms there start at unit norm again.

        References
        ----------
        Engan, Aase and Husoy (1999). Method of optimal directions for frame design. ICASSP.
        The update, without a ridge.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from sklearn_aensae import L1SAE
        >>> X = load_digits().data
        >>> sae = L1SAE(128, lambda_1=0.05, max_epochs=10, random_state=0).fit(X)
        >>> before = sae.score(X)
        >>> bool(sae.refit_decoder(X).score(X) > before)
        True
        """
        check_is_fitted(self)
        estimator = cast("BaseSAE", self)
        _refuse(estimator, ridge)
        refit(estimator, validate_rows(estimator, X), ridge)
        return self


def refit(estimator: "BaseSAE", rows: Rows, ridge: float = 1.0) -> None:
    """Fit the decoder to the codes of rows that need no check."""
    equations = NormalEquations(*estimator.components_.shape)
    for codes, shares, residuals in _coding.iter_residuals(estimator, rows):
        error = residuals.double().cpu().numpy()
        share = shares.double().cpu().numpy() if isinstance(shares, Tensor) else shares
        equations.add(codes.csr(), np.broadcast_to(share, (len(error), 1)), error)
    atoms, bias = equations.solve(float(ridge))
    # In between, the fitted attributes are not those of the module.
    with holding_ctrl_c():
        _change_(estimator, torch.from_numpy(atoms), torch.from_numpy(bias))
        estimator._write_fitted()


def _refuse(estimator: "BaseSAE", ridge: float) -> None:
    """Refuse what cannot be done."""
    name = type(estimator).__name__
    decoder = estimator.net_.module_.decoder
    if not isinstance(decoder, LinearDecoder):
        raise TypeError(
            f"The decoder of {name} is of type {type(decoder).__name__}; refit_decoder needs a "
            "linear decoder whose atoms are free."
        )
    if estimator._plan.n_targets:
        raise TypeError(f"{name} reconstructs targets; refit_decoder knows rows only.")
    if not RIDGE.accepts(ridge):
        raise ValueError(f"ridge must be {RIDGE.describe()}; got {ridge!r}.")


@torch.no_grad()
def _change_(estimator: "BaseSAE", atoms: Tensor, bias: Tensor) -> None:
    """Add to atoms and bias of the module what was found in the units of the input.

    With the atoms A of the input, codes h and a matrix P from its units to those of training, the
    module has atoms q A P, and codes are q times its own (up to the factor of a row).
    """
    module, scaling = estimator.net_.module_, estimator._scaling
    decoder, encoder, activation = module.decoder, module.encoder, module.activation
    old = decoder.atoms.double().cpu()
    if scaling.whitening is not None:
        matrix, inverse = (
            torch.tensor(m) for m in (scaling.whitening.matrix, scaling.whitening.inverse)
        )
        atoms, bias, there = atoms @ matrix, bias @ matrix, old @ inverse
    else:
        _, columns = scaling.column_factors(bias)
        columns = bias.new_ones(()) if columns is None else columns
        atoms, bias, there = atoms * columns, bias * (columns * scaling.factor), old / columns
    sizes = torch.linalg.vector_norm(there, dim=1, keepdim=True)
    decoder.atoms.copy_(old + torch.where(sizes > 0, sizes, 1) * atoms)
    shift = bias.to(decoder.bias)
    decoder.bias.add_(shift)
    if encoder.is_centred:
        taken = encoder.weight @ shift
        encoder.bias.add_(taken)
        activation.follow_bias_(taken)
    norms = decoder.norms()
    norms = torch.where(norms > 0, norms, 1)
    if decoder.has_unit_atoms and activation.rescale_(norms):
        decoder.normalize_()
        encoder.weight.mul_(norms[:, None])
        encoder.bias.mul_(norms)
