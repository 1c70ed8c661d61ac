"""What estimators share whose exact codes are the solution of a convex problem."""

import copy
import warnings
from dataclasses import dataclass
from typing import Annotated, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor
from torch.nn import functional

from sklearn_aensae.coding import Coding, Solution, solve
from sklearn_aensae.estimators import _coding
from sklearn_aensae.estimators._fitted import read_module
from sklearn_aensae.estimators._penalised import PenalisedSAE
from sklearn_aensae.estimators._validation import validate_rows
from sklearn_aensae.kernels import ActiveCodes, Codes, Pattern
from sklearn_aensae.modules import Autoencoder
from sklearn_aensae.params import OneOf

__all__ = ["ExactCodingSAE"]

TOLERANCES = {torch.float32: 1e-5, torch.float64: 1e-10}
"""Relative duality gaps at which a code counts as exact."""


@dataclass(eq=False, repr=False, kw_only=True)
class ExactCodingSAE(PenalisedSAE):
    """Adds `transform_method` and `encode`; a variant says what its penalty is."""

    transform_method: Annotated[str, OneOf("encoder", "exact")] = "encoder"

    def encode(self, X: Any, method: str | None = None) -> Any:
        r"""Encode rows by a method of one's choice.

        "exact" solves, on the dictionary that was learned,

        .. math:: \min_{h \ge 0} \frac1n \lVert x - b - D^\top h \rVert^2
            + \lambda_1 \sum_j w_j h_j + \lambda_2 \lVert h \rVert^2

        in the units of training, to a relative duality gap of 1e-5 (float32) or 1e-10 (float64).

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), memmap, shards or path
            As in `transform`.
        method : {"encoder", "exact"} or None, default=None
            None is `transform_method`.

        Returns
        -------
        codes : ndarray, Tensor or csr_array of shape (n_samples, n_components)
            As `transform` returns them.

        Raises
        ------
        ValueError
            If `X` does not fit the fitted data, or there is no such method.

        Warns
        -----
        ConvergenceWarning
            If rounding keeps a row from that gap.
        """
        return self._asked_for(method).transform(X)

    def _asked_for(self, method: str | None) -> Self:
        """Return this estimator with another `transform_method`."""
        if method not in {None, "encoder", "exact"}:
            raise ValueError(f"method must be 'encoder', 'exact' or None; got {method!r}.")
        asked = copy.copy(self)
        return asked if method is None else asked.set_params(transform_method=method)

    def _asks_encoder(self) -> bool:
        return self.transform_method == "encoder"

    def _encode_rows(self, module: Autoencoder, x: Tensor) -> Codes:
        codes = super()._encode_rows(module, x)
        return codes if self._asks_encoder() else self._solve(module, x, codes)

    def _strengths(self) -> NDArray[np.floating]:
        """Strength of the L1 penalty on each component."""
        return np.full(self.n_components_, self.lambda_1_)

    def _ridge(self) -> float:
        """Strength of the L2 penalty."""
        return 0.0

    def _pose(self, module: Autoencoder, x: Tensor) -> Coding:
        """Return the problems of some rows."""
        n = x.shape[1]
        alpha = torch.as_tensor(0.5 * n * self._strengths()).to(x)
        decoder = module.decoder
        return Coding(x - decoder.bias, decoder.dictionary().detach(), alpha, n * self._ridge())

    def _objectives(self, X: Any, method: str) -> NDArray[np.float64]:
        """Value of the objective of coding at the codes of a method, for each row."""
        asked, values = self._asked_for(method), []
        for x, codes in _coding.iter_scaled(asked, validate_rows(asked, X)):
            problem = self._pose(read_module(self), x)
            columns, slots = _to_slots(codes.dense())
            residuals = problem.residuals(columns, slots)
            values.append(problem.objectives(residuals, columns, slots).cpu().numpy())
        found: NDArray[np.float64] = np.concatenate(values) * (2 / self.n_features_in_)
        return found

    def _solve(self, module: Autoencoder, x: Tensor, codes: Codes) -> Codes:
        """Exact codes of rows, from those of the encoder on."""
        # Without a ridge no more codes than features are needed; with one, more may enter.
        columns, values = _to_slots(codes.dense(), most=x.shape[1])
        found = solve(self._pose(module, x), columns, values, tol=TOLERANCES[x.dtype])
        _warn(found.gaps, TOLERANCES[x.dtype])
        return _to_codes(found, self.n_components_)


def _to_slots(dense: Tensor, most: int | None = None) -> tuple[Tensor, Tensor]:
    """Columns and values of the largest codes of each row, in as many slots as are needed."""
    n_slots = int((dense > 0).sum(1).max()) if len(dense) else 0
    n_slots = max(1, n_slots if most is None else min(n_slots, most))
    values, columns = dense.topk(n_slots, dim=1)
    return columns, values


def _warn(gaps: Tensor, tol: float) -> None:
    """Say so if some rows are not solved."""
    if n_open := int((gaps > tol).sum()):
        warnings.warn(
            f"The codes of {n_open} of {len(gaps)} rows have a relative duality gap above {tol:g}, "
            f"up to {float(gaps.max()):.2g}; dtype='float64' takes them further.",
            ConvergenceWarning,
            stacklevel=2,
        )


def _to_codes(found: Solution, n_components: int) -> Codes:
    """Active codes, without empty slots."""
    active = found.values > 0
    starts = functional.pad(active.sum(1).cumsum(0, dtype=torch.int32), (1, 0))
    pattern = Pattern(found.columns[active].int(), starts, n_components)
    return ActiveCodes(found.values[active], pattern)
