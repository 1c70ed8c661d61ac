"""Codes that know how sparse they are: what flows from activations to decoders and penalties."""

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
from scipy import sparse
from torch import Tensor

from sklearn_aensae.kernels.active import active_decode
from sklearn_aensae.kernels.dense import dense_decode
from sklearn_aensae.kernels.pattern import Pattern
from sklearn_aensae.kernels.square_sum import square_sum

__all__ = ["ActiveCodes", "Codes", "DenseCodes"]


class Codes(ABC):
    """Non-negative codes of a batch, shape (batch, n_components), in some representation.

    Terms and decoders ask for what they need (sums, counts, a product with the atoms) and
    never for the representation, so a step on an active set costs O(active).
    """

    is_sparse: bool
    values: Tensor
    n_rows: int
    n_components: int

    @property
    @abstractmethod
    def gates(self) -> "Codes":
        """What decides which components are active, differentiable, in the same representation.

        Only activations with a `gate` give it, to the penalties of such variants.
        """

    @abstractmethod
    def dense(self) -> Tensor:
        """Codes as a tensor of shape (batch, n_components)."""

    @abstractmethod
    def csr(self) -> sparse.csr_array:
        """Codes as a SciPy CSR array on the host, without explicit zeros."""

    @abstractmethod
    def scaled(self, factors: Tensor | float) -> "Codes":
        """Codes times one factor, or one per row of shape (batch, 1)."""

    @abstractmethod
    def weighted(self, factors: Tensor) -> "Codes":
        """Codes times one factor per component, of shape (n_components,)."""

    @abstractmethod
    def row_sums(self) -> Tensor:
        """Sum over components: shape (batch,)."""

    @abstractmethod
    def decode(self, atoms: Tensor) -> Tensor:
        """Product with the atoms (n_components, n_features): shape (batch, n_features)."""

    @cached_property
    def square_sum(self) -> Tensor:
        """Sum of all squared codes, as a 0-d tensor."""
        return square_sum(self.values)

    @cached_property
    @abstractmethod
    def component_sums(self) -> Tensor:
        """Sum over rows: shape (n_components,)."""

    @cached_property
    @abstractmethod
    def firing_counts(self) -> Tensor:
        """Number of rows in which each component is active: integers, shape (n_components,)."""

    def l0(self) -> Tensor:
        """Mean number of active components per row, as a 0-d tensor."""
        return self.firing_counts.sum() / self.n_rows


class DenseCodes(Codes):
    """Codes as one dense tensor, for activations that leave many components active.

    Parameters
    ----------
    values : Tensor of shape (batch, n_components)
        Non-negative codes.
    component_sums, square_sum, firing_counts : Tensor or None
        Where whoever made the codes has these already.
    gates : Tensor of shape (batch, n_components) or None
        What decides on activity, if the activation has such a thing.
    """

    is_sparse = False

    def __init__(
        self,
        values: Tensor,
        component_sums: Tensor | None = None,
        square_sum: Tensor | None = None,
        firing_counts: Tensor | None = None,
        gates: Tensor | None = None,
    ) -> None:
        self.values = values
        self._gates = gates
        self.n_rows, self.n_components = values.shape
        known = {
            "component_sums": component_sums,
            "square_sum": square_sum,
            "firing_counts": firing_counts,
        }
        # Where a cached property keeps its value.
        self.__dict__.update({name: value for name, value in known.items() if value is not None})

    @property
    def gates(self) -> "DenseCodes":
        """What decides which components are active."""
        assert self._gates is not None
        return DenseCodes(self._gates)

    def dense(self) -> Tensor:
        """Codes as a tensor of shape (batch, n_components)."""
        return self.values

    def csr(self) -> sparse.csr_array:
        """Codes as a SciPy CSR array on the host, without explicit zeros."""
        return sparse.csr_array(self.values.detach().cpu().numpy())

    def scaled(self, factors: Tensor | float) -> "DenseCodes":
        """Codes times one factor, or one per row of shape (batch, 1)."""
        return DenseCodes(self.values * factors)

    def weighted(self, factors: Tensor) -> "DenseCodes":
        """Codes times one factor per component, of shape (n_components,)."""
        return DenseCodes(self.values * factors)

    def row_sums(self) -> Tensor:
        """Sum over components: shape (batch,)."""
        return self.values.sum(1)

    def decode(self, atoms: Tensor) -> Tensor:
        """Product with the atoms (n_components, n_features): shape (batch, n_features)."""
        return dense_decode(self.values, atoms)

    @cached_property
    def component_sums(self) -> Tensor:
        """Sum over rows: shape (n_components,)."""
        return self.values.sum(0)

    @cached_property
    def firing_counts(self) -> Tensor:
        """Number of rows in which each component is active: integers, shape (n_components,)."""
        return (self.values.detach() > 0).sum(0)


class ActiveCodes(Codes):
    """Codes as the values at the entries of a pattern; what is not in the pattern is 0.

    An entry may hold the value 0, too: on devices where a number of entries that depends on
    the data would have to be waited for, each row has the same number of entries.

    Parameters
    ----------
    values : Tensor of shape (n_entries,)
        Non-negative codes.
    pattern : Pattern
        Their rows and components.
    gates : Tensor of shape (n_entries,) or None
        What decides on activity, if the activation has such a thing.
    wider : ActiveCodes or None
        A choice of more codes of the same rows, if the activation makes one.
    """

    is_sparse = True

    def __init__(
        self,
        values: Tensor,
        pattern: Pattern,
        gates: Tensor | None = None,
        wider: "ActiveCodes | None" = None,
    ) -> None:
        self.values = values
        self.pattern = pattern
        self._gates = gates
        self.wider = wider
        self.n_rows, self.n_components = pattern.n_rows, pattern.n_columns

    @property
    def gates(self) -> "ActiveCodes":
        """What decides which components are active."""
        assert self._gates is not None
        return ActiveCodes(self._gates, self.pattern)

    def dense(self) -> Tensor:
        """Codes as a tensor of shape (batch, n_components)."""
        zeros = self.values.new_zeros(self.n_rows, self.n_components)
        return zeros.index_put((self.pattern.rows, self.pattern.columns), self.values)

    def csr(self) -> sparse.csr_array:
        """Codes as a SciPy CSR array on the host, without explicit zeros."""
        values, columns, row_starts = (
            part.detach().cpu().numpy()
            for part in (self.values, self.pattern.columns, self.pattern.row_starts)
        )
        active = values > 0
        if not active.all():
            n_before = np.concatenate([[0], active.cumsum(dtype=row_starts.dtype)])
            values, columns = values[active], columns[active]
            row_starts = n_before[row_starts].astype(row_starts.dtype)
        shape = (self.n_rows, self.n_components)
        matrix = sparse.csr_array((values, columns, row_starts), shape=shape)
        matrix.sort_indices()
        return matrix

    def scaled(self, factors: Tensor | float) -> "ActiveCodes":
        """Codes times one factor, or one per row of shape (batch, 1)."""
        if isinstance(factors, Tensor):
            factors = factors.flatten()[self.pattern.rows]
        return ActiveCodes(self.values * factors, self.pattern)

    def weighted(self, factors: Tensor) -> "ActiveCodes":
        """Codes times one factor per component, of shape (n_components,)."""
        factors = factors.index_select(0, self.pattern.columns)
        return ActiveCodes(self.values * factors, self.pattern)

    def row_sums(self) -> Tensor:
        """Sum over components: shape (batch,)."""
        return self.pattern.row_sums(self.values)

    def decode(self, atoms: Tensor) -> Tensor:
        """Product with the atoms (n_components, n_features): shape (batch, n_features)."""
        return active_decode(self.values, atoms, self.pattern)

    @cached_property
    def component_sums(self) -> Tensor:
        """Sum over rows: shape (n_components,)."""
        return self.pattern.column_sums(self.values)

    @cached_property
    def firing_counts(self) -> Tensor:
        """Number of rows in which each component is active: integers, shape (n_components,)."""
        return self.pattern.column_sums((self.values.detach() > 0).long())
