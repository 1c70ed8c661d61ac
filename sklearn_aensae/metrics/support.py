"""How often codes are active where the true codes are."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sklearn_aensae.metrics._arrays import CodeArray, active_set, check_matching, check_rows

__all__ = ["SupportRecovery", "support_recovery"]


class SupportRecovery(NamedTuple):
    """What :func:`support_recovery` finds; a ratio without denominator is 0."""

    precision: float
    """Share of the active codes that are truly active."""

    recall: float
    """Share of the truly active codes that are active."""

    f1: float
    """Harmonic mean of the two."""


def support_recovery(
    codes: CodeArray,
    true_codes: CodeArray,
    matching: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]] | None = None,
) -> SupportRecovery:
    r"""Compare where codes are active with where the true codes are.

    .. math:: P = \frac{|A \cap A^*|}{|A|}, \qquad R = \frac{|A \cap A^*|}{|A^*|}, \qquad
        F_1 = \frac{2 P R}{P + R}

    with the sets :math:`A` and :math:`A^*` of all entries that are active and truly active.
    Entries are counted over all rows and components together. Active codes of components without
    a partner are wrong; truly active codes without a partner are missed.

    Parameters
    ----------
    codes : array-like, tensor or sparse matrix of shape (n_samples, n_components)
        Codes; one is active where it is not zero.
    true_codes : array-like, tensor or sparse matrix of shape (n_samples, n_true_components)
        True codes of the same rows.
    matching : tuple of two ndarrays of shape (n_pairs,), optional
        Which component stands for which true one, as :func:`dictionary_recovery` returns it. By
        default component `j` stands for true component `j`.

    Returns
    -------
    recovery : SupportRecovery
        `precision`, `recall` and `f1`.

    Raises
    ------
    ValueError
        If an array is not two-dimensional, is empty, holds NaN or infinity, if the numbers of
        rows differ, if the numbers of columns differ and no `matching` is given, or if `matching`
        is not one of components, each in one pair at most.

    References
    ----------
    Feature Starvation as Geometric Instability in Sparse Autoencoders (2026), support recovery of
    the synthetic experiments. :arxiv:`2605.05341`.

    Examples
    --------
    >>> from sklearn_aensae.metrics import support_recovery
    >>> support_recovery([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]], [[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    SupportRecovery(precision=0.666..., recall=0.666..., f1=0.666...)
    """
    support, true_support = _support(codes, "codes"), _support(true_codes, "true_codes")
    n_compared = 1 if matching is not None else 2
    if support.shape[:n_compared] != true_support.shape[:n_compared]:
        raise ValueError(
            "codes and true_codes must have the same number of rows, and of columns unless a "
            f"matching is given; got {support.shape} and {true_support.shape}."
        )
    n_active, n_true = support.sum(), true_support.sum()
    if matching is not None:
        columns, true_columns = check_matching(matching, support.shape[1], true_support.shape[1])
        support, true_support = support[:, columns], true_support[:, true_columns]
    n_right = support.multiply(true_support).sum()
    return SupportRecovery(
        float(n_right / max(n_active, 1)),
        float(n_right / max(n_true, 1)),
        float(2 * n_right / max(n_active + n_true, 1)),
    )


def _support(codes: CodeArray, name: str) -> Any:
    """Return the active codes as a CSR matrix of ones."""
    support = active_set(check_rows(codes, name, accept_sparse=True))
    support.data = np.ones_like(support.data, dtype=np.int64)
    return support
