"""Codes that know how sparse they are: what flows from activations to decoders and penalties."""

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.nn import functional

__all__ = ["ActiveCodes", "Codes", "DenseCodes"]


class Codes(ABC):
    """Non-negative codes of a batch, shape (batch, n_components), in some representation.

    Terms and decoders ask for what they need (sums, counts, a product with the atoms) and
    never for the representation, so a step on an active set costs O(active).
    """

    values: Tensor
    n_components: int

    @property
    def n_rows(self) -> int:
        """Number of rows in the batch."""
        return self.values.shape[0]

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
    def row_sums(self, weights: Tensor | None = None) -> Tensor:
        """Sum over components, each times its weight (n_components,) if given: shape (batch,)."""

    @abstractmethod
    def decode(self, atoms: Tensor) -> Tensor:
        """Product with the atoms (n_components, n_features): shape (batch, n_features)."""

    def square_sum(self) -> Tensor:
        """Sum of all squared codes, as a 0-d tensor."""
        # Unlike (values ** 2).sum(), this makes no tensor as large as the codes.
        norm: Tensor = torch.linalg.vector_norm(self.values)
        return norm.square()

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
    """

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self.n_components = values.shape[1]

    def dense(self) -> Tensor:
        """Codes as a tensor of shape (batch, n_components)."""
        return self.values

    def csr(self) -> sparse.csr_array:
        """Codes as a SciPy CSR array on the host, without explicit zeros."""
        return sparse.csr_array(self.values.detach().cpu().numpy())

    def scaled(self, factors: Tensor | float) -> "DenseCodes":
        """Codes times one factor, or one per row of shape (batch, 1)."""
        return DenseCodes(self.values * factors)

    def row_sums(self, weights: Tensor | None = None) -> Tensor:
        """Sum over components, each times its weight (n_components,) if given: shape (batch,)."""
        return self.values.sum(1) if weights is None else self.values @ weights

    def decode(self, atoms: Tensor) -> Tensor:
        """Product with the atoms (n_components, n_features): shape (batch, n_features)."""
        return self.values @ atoms

    @cached_property
    def component_sums(self) -> Tensor:
        """Sum over rows: shape (n_components,)."""
        return self.values.sum(0)

    @cached_property
    def firing_counts(self) -> Tensor:
        """Number of rows in which each component is active: integers, shape (n_components,)."""
        return (self.values.detach() > 0).sum(0)


class ActiveCodes(Codes):
    """Codes as the values and the components of a fixed number of slots per row.

    The number of slots is fixed so that no shape depends on the data; a slot that is not
    needed holds the value 0. A component appears at most once in a row.

    Parameters
    ----------
    values : Tensor of shape (batch, n_slots)
        Non-negative codes.
    indices : integer Tensor of shape (batch, n_slots)
        The component of each value.
    n_components : int
        Number of components.
    """

    def __init__(self, values: Tensor, indices: Tensor, n_components: int) -> None:
        self.values = values
        self.indices = indices
        self.n_components = n_components

    def dense(self) -> Tensor:
        """Codes as a tensor of shape (batch, n_components)."""
        zeros = self.values.new_zeros(self.n_rows, self.n_components)
        return zeros.scatter(1, self.indices, self.values)

    def csr(self) -> sparse.csr_array:
        """Codes as a SciPy CSR array on the host, without explicit zeros."""
        values, indices = self.values.detach().cpu().numpy(), self.indices.cpu().numpy()
        active = values > 0
        row_ends = np.concatenate([[0], active.sum(1).cumsum()])
        # Much of scikit-learn takes no other than 32-bit indices.
        kind = np.int32 if max(row_ends[-1], self.n_components) < 2**31 else np.int64
        matrix = sparse.csr_array(
            (values[active], indices[active].astype(kind), row_ends.astype(kind)),
            shape=(self.n_rows, self.n_components),
        )
        matrix.sort_indices()
        return matrix

    def scaled(self, factors: Tensor | float) -> "ActiveCodes":
        """Codes times one factor, or one per row of shape (batch, 1)."""
        return ActiveCodes(self.values * factors, self.indices, self.n_components)

    def row_sums(self, weights: Tensor | None = None) -> Tensor:
        """Sum over components, each times its weight (n_components,) if given: shape (batch,)."""
        weighted = self.values if weights is None else self.values * weights[self.indices]
        return weighted.sum(1)

    def decode(self, atoms: Tensor) -> Tensor:
        """Product with the atoms (n_components, n_features): shape (batch, n_features)."""
        return functional.embedding_bag(
            self.indices, atoms, per_sample_weights=self.values, mode="sum"
        )

    @cached_property
    def component_sums(self) -> Tensor:
        """Sum over rows: shape (n_components,)."""
        zeros = self.values.new_zeros(self.n_components)
        return zeros.index_add(0, self.indices.flatten(), self.values.flatten())

    @cached_property
    def firing_counts(self) -> Tensor:
        """Number of rows in which each component is active: integers, shape (n_components,)."""
        fired = (self.values.detach() > 0).flatten().long()
        return fired.new_zeros(self.n_components).index_add(0, self.indices.flatten(), fired)
