"""What estimators with a polynomial decoder share: its ranks, and how to read interactions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from sklearn_aensae.estimators._base import BaseSAE
from sklearn_aensae.estimators._coding import encode_csr
from sklearn_aensae.estimators._fitted import to_array
from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.estimators._validation import validate_rows
from sklearn_aensae.modules.decoders import PolynomialDecoder
from sklearn_aensae.params import AtLeast, OneOf, Where

__all__ = ["PolynomialSAE"]

RANK = 64
"""Rank of the square and the cubic term: published for GPT-2 small."""

RANKS = Where(
    "None or a list of ints >= 1, one for each order",
    lambda value: (
        value is None
        or (isinstance(value, list | tuple) and bool(value) and all(map(AtLeast(1).accepts, value)))
    ),
)


@dataclass(eq=False, repr=False, kw_only=True)
class PolynomialSAE(BaseSAE):
    """Puts a polynomial decoder in the place of the linear one of the class after it."""

    _may_whiten: ClassVar[bool] = False

    order: Annotated[int, OneOf(1, 2, 3)] = 3
    ranks: Annotated[Sequence[int] | None, RANKS] = None

    def _make_decoder(self, plan: Plan) -> PolynomialDecoder:
        most = min(plan.n_features, plan.n_components)
        ranks = [most] + [min(RANK, most)] * (self.order - 1)
        if self.ranks is not None:
            ranks = [int(rank) for rank in self.ranks]
        if len(ranks) != self.order or ranks != sorted(ranks, reverse=True) or ranks[0] > most:
            raise ValueError(
                f"ranks must be {self.order} numbers for order={self.order}, none larger than the "
                f"one before and the first at most {most}, the lesser of n_features and "
                f"n_components; got {self.ranks!r}."
            )
        return PolynomialDecoder(plan.n_features, plan.n_components, ranks)

    def _polynomial(self) -> PolynomialDecoder:
        """Return the fitted decoder."""
        check_is_fitted(self)
        decoder = self.net_.module_.decoder
        assert isinstance(decoder, PolynomialDecoder)
        return decoder

    @torch.no_grad()
    def interaction(self, *components: int) -> NDArray[np.floating]:
        """Direction that two or three components add when they are active together.

        Parameters
        ----------
        *components : int
            Two components, or three if `order` is 3. One that is given twice is squared.

        Returns
        -------
        direction : ndarray of shape (n_features,)
            Coefficient of the product of their codes in the reconstruction, in the units of `X`.

        Raises
        ------
        ValueError
            If there are too few or too many components, or one that is no index of a component.
        """
        decoder = self._polynomial()
        order, n = len(decoder.maps), len(components)
        if not 2 <= n <= order:
            raise ValueError(f"interaction takes 2 to {order} components of this fit; got {n}.")
        if not all(AtLeast(0).accepts(one) and one < self.n_components_ for one in components):
            raise ValueError(
                f"components must be ints in [0, {self.n_components_ - 1}]; got {components}."
            )
        return to_array(decoder.interaction(components) * self.input_scale_ ** (n - 1))

    @torch.no_grad()
    def top_interactions(
        self, n: int = 10, X: Any = None
    ) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
        """Find the pairs with the largest interactions, among components that fired of late.

        One component after the other is compared with all, in O(n_components) memory besides the
        codes of `X`.

        Parameters
        ----------
        n : int, default=10
            Number of pairs; all that there are if fewer.
        X : array-like of shape (n_samples, n_features) or None, default=None
            Rows over which a pair counts by what it adds to them. With None it counts by what a
            product of codes of 1 would add: that is meaningless for a pair that never meets, and
            smaller for components with long codes and short atoms.

        Returns
        -------
        pairs : ndarray of shape (n_pairs, 2)
            Components, the smaller first; the strongest pair first.
        strengths : ndarray of shape (n_pairs,)
            In the units of the data: norm of the interaction of each, times the root mean square
            of the product of its codes over `X`.

        Raises
        ------
        ValueError
            If `n` is no int of at least 1, or the fit is linear (`order=1`).
        """
        decoder = self._polynomial()
        if decoder.is_linear:
            raise ValueError("top_interactions needs order=2 or 3; with order=1 there are none.")
        if not AtLeast(1).accepts(n):
            raise ValueError(f"n must be an int >= 1; got {n!r}.")
        meetings = None if X is None else _Meetings(self._sparse_codes(X))
        alive = np.flatnonzero(self.feature_density_)
        pairs, strengths = np.empty((0, 2), dtype=np.int64), np.empty(0)
        for position, i in enumerate(alive):
            others = alive[position + 1 :]
            norms = to_array(decoder.pair_norms(int(i))) * self.input_scale_
            if meetings is not None:
                norms = norms * meetings.mean_product(int(i))
            pairs = np.vstack([pairs, np.column_stack([np.full(len(others), i), others])])
            strengths = np.concatenate([strengths, norms[others]])
            best = np.argsort(-strengths, kind="stable")[:n]
            pairs, strengths = pairs[best], strengths[best]
        return pairs, strengths

    def _sparse_codes(self, X: Any) -> sparse.csr_array:
        """Codes as CSR, whatever the user wants of `transform`."""
        codes: sparse.csr_array = encode_csr(self, validate_rows(self, X))
        return codes


class _Meetings:
    """How much the products of codes come to, over the rows of a data set."""

    def __init__(self, codes: sparse.csr_array) -> None:
        self.rows = codes.power(2)
        self.columns = self.rows.tocsc()

    def mean_product(self, i: int) -> NDArray[np.floating]:
        """Root mean square over the rows of the products with code `i`: (n_components,)."""
        start, stop = self.columns.indptr[i : i + 2]
        where, squares = self.columns.indices[start:stop], self.columns.data[start:stop]
        sums = self.rows[where].T @ squares
        found: NDArray[np.floating] = np.sqrt(sums / self.rows.shape[0])
        return found
