"""How far codes are from the true ones."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sklearn_aensae.metrics._arrays import CodeArray, active_set, check_matching, check_rows

__all__ = ["CodeError", "code_error"]


class CodeError(NamedTuple):
    """What :func:`code_error` finds."""

    error: float
    """Squared error of the codes as they are, relative to the true codes' squares."""

    rescaled_error: float
    """The same after all codes are multiplied by `scale`; at most 1."""

    scale: float
    """The factor that makes the error least: above 1 where codes are shrunk."""


def code_error(
    codes: CodeArray,
    true_codes: CodeArray,
    matching: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]] | None = None,
) -> CodeError:
    r"""Measure how far codes are from the true ones, as they are and but for their scale.

    .. math:: \frac{\lVert s H - Z \rVert_F^2}{\lVert Z \rVert_F^2} \quad \text{at } s = 1
        \text{ and at } s^* = \frac{\langle H, Z \rangle}{\lVert H \rVert_F^2},
        \qquad \min_s = 1 - \cos^2(H, Z)

    with codes H in the order of their partners among the true codes Z. Codes of components without
    a partner are all wrong, and true codes without a partner are missed: their partner is 0.

    Parameters
    ----------
    codes : array-like, tensor or sparse matrix of shape (n_samples, n_components)
        Codes for atoms of the same length as the true ones.
    true_codes : array-like, tensor or sparse matrix of shape (n_samples, n_true_components)
        True codes of the same rows.
    matching : tuple of two ndarrays of shape (n_pairs,), optional
        Which component stands for which true one, as :func:`dictionary_recovery` returns it. By
        default component `j` stands for true component `j`.

    Returns
    -------
    error : CodeError
        `error`, `rescaled_error` and `scale`. Silent codes have error 1 and scale 0.

    Raises
    ------
    ValueError
        If an array is not two-dimensional, is empty, holds NaN or infinity, if the numbers of
        rows differ, if the numbers of columns differ and no `matching` is given, if `matching`
        is not one of components, each in one pair at most, or if all true codes are 0.

    See Also
    --------
    support_recovery : Where codes are active, whatever their size.

    References
    ----------
    Feature Starvation as Geometric Instability in Sparse Autoencoders (2026), code errors of the
    synthetic experiments: here relative, and for any matching. :arxiv:`2605.05341`.

    Examples
    --------
    Codes that are right but for a shrinkage by a fifth:

    >>> from sklearn_aensae.metrics import code_error
    >>> found = code_error([[4.0, 0.0], [0.0, 8.0]], [[5.0, 0.0], [0.0, 10.0]])
    >>> round(found.error, 6), round(found.rescaled_error, 6), found.scale
    (0.04, 0.0, 1.25)
    """
    found = active_set(check_rows(codes, "codes", accept_sparse=True)).astype(np.float64)
    true = active_set(check_rows(true_codes, "true_codes", accept_sparse=True)).astype(np.float64)
    n_compared = 1 if matching is not None else 2
    if found.shape[:n_compared] != true.shape[:n_compared]:
        raise ValueError(
            "codes and true_codes must have the same number of rows, and of columns unless a "
            f"matching is given; got {found.shape} and {true.shape}."
        )
    whole, total = _squares(true), _squares(found)
    if not whole:
        raise ValueError("true_codes are all 0: no error is relative to them.")
    if matching is not None:
        columns, true_columns = check_matching(matching, found.shape[1], true.shape[1])
        found, true = found[:, columns], true[:, true_columns]
    shared = float(found.multiply(true).sum())
    # Differences are squared as they are: whole + total - 2 shared would lose small ones.
    missed = max(0.0, whole - _squares(true))
    wrong = max(0.0, total - _squares(found))
    scale = shared / total if total else 0.0
    errors = [_squares(s * found - true) + missed + s**2 * wrong for s in (1.0, scale)]
    return CodeError(errors[0] / whole, errors[1] / whole, scale)


def _squares(codes: Any) -> float:
    """Sum of squared entries."""
    return float(np.square(codes.data).sum())
