"""The convex problem whose solution is the exact code of a row, and how near a code is to it."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from sklearn_aensae.kernels import iter_pre_codes

__all__ = ["Coding", "products"]

MOST_COMPONENTS = 8_192
"""For which products of all atoms are held: 256 MB in single precision."""

DENSE = 128
"""Components per slot up to which one product with all atoms costs less than reading those of the
slots."""

PASSED_OVER = 4
"""Numbers of a dense product that take a place in cache as one of a system, which is read often."""

FEW = 6
"""Features per slot from which on codes change slopes by products of atoms for less than a product
with all atoms costs."""

NEGLIGIBLE, SETTLED = 32, 64
"""In units of rounding of the norms of row and atom: a penalty that is none, and a slope that then
is 0."""


def products(atoms: Tensor) -> Tensor | None:
    """Products of all atoms, (n_components, n_components), unless they take too much memory."""
    return atoms @ atoms.T if len(atoms) <= MOST_COMPONENTS else None


class Coding(NamedTuple):
    r"""Non-negative weighted elastic net of rows on a dictionary, in the scale of the objectives.

    .. math:: \min_{h \ge 0} \frac{1}{n} \lVert x - D^\top h \rVert^2
        + \sum_j \lambda_{1j} h_j + \lambda_2 \lVert h \rVert^2

    Inside, everything is n / 2 times that, :math:`\frac12 \lVert x - D^\top h \rVert^2 +
    \alpha^\top h + \frac\mu2 \lVert h \rVert^2`, as in textbooks. A code is given by the
    columns and values of a fixed number of slots per row; a slot of value 0 is empty.
    """

    x: Tensor
    """Rows less the decoder's bias: (n_rows, n_features)."""
    atoms: Tensor
    """D: (n_components, n_features)."""
    alpha: Tensor
    """n / 2 times the strength of the L1 penalty on each component: (n_components,)."""
    mu: float
    """n times the strength of the L2 penalty."""
    gram: Tensor | None = None
    """Products of all atoms, contiguous, if they are at hand: (n_components, n_components)."""
    norms: Tensor | None = None
    """Of the atoms, if they are at hand: (n_components,)."""

    def prepared(self) -> "Coding":
        """Return the same with norms and, if worth while for its rows, products of all atoms."""
        known = self if self.norms is not None else self._replace(norms=self._norms())
        if known.gram is not None or not self.is_worth_products():
            return known
        return known._replace(gram=products(self.atoms))

    def is_worth_products(self) -> bool:
        """Whether products of all atoms save more than they cost, for these rows alone."""
        return len(self.atoms) <= min(MOST_COMPONENTS, 2 * len(self.x))

    def work(self, n_slots: int) -> int:
        """Numbers per row in the largest temporary; those that are passed over once count less."""
        n_features = 0 if self.gram is not None else self.x.shape[1]
        return max(len(self.atoms) // PASSED_OVER, n_slots * max(n_slots, n_features))

    def rows(self, chosen: Tensor) -> "Coding":
        """Return the problems of some of the rows."""
        return self._replace(x=self.x[chosen])

    def first_slopes(self) -> Tensor:
        """Slopes where there are no codes yet: (n_rows, n_components)."""
        # Rows of a block are no more than come in one piece.
        (slopes,) = iter_pre_codes(self.x, self.atoms, -self.alpha)
        return slopes

    def systems(self, columns: Tensor, first_slopes: Tensor) -> tuple[Tensor, Tensor]:
        """Matrix and right-hand side of the slots of each row, if none of them were bounded.

        Shapes (n_rows, n_slots, n_slots) and (n_rows, n_slots).
        """
        if self.gram is None:
            atoms = self.atoms[columns]
            gram = atoms @ atoms.transpose(1, 2)
        else:
            gram = self._products(columns)
        gram.diagonal(dim1=1, dim2=2).add_(self.mu)
        return gram, first_slopes.gather(1, columns)

    def reads_all(self, n_slots: int) -> bool:
        """Whether least squares on so many slots takes a product with all atoms."""
        return self.gram is not None and len(self.atoms) <= DENSE * n_slots

    def least_squares(self, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Matrix and right-hand side of the slots of each row, without any penalty."""
        if self.reads_all(columns.shape[1]):
            return self._products(columns), (self.x @ self.atoms.T).gather(1, columns)
        atoms = self.atoms[columns]
        right = (atoms @ self.x.unsqueeze(2)).squeeze(2)
        if self.gram is not None:
            return self._products(columns), right
        return atoms @ atoms.transpose(1, 2), right

    def _products(self, columns: Tensor) -> Tensor:
        """Products of the atoms in the slots of each row: (n_rows, n_slots, n_slots)."""
        assert self.gram is not None
        # One flat index in 4 bytes, enough for MOST_COMPONENTS: several times faster to read by.
        columns = columns.int()
        where = columns.unsqueeze(2) * len(self.gram) + columns.unsqueeze(1)
        return self.gram.flatten().index_select(0, where.flatten()).view(where.shape)

    def residuals(self, columns: Tensor, values: Tensor) -> Tensor:
        """Return what codes leave of the rows: (n_rows, n_features)."""
        return self.x - _summed(self.atoms, columns, values)

    def slopes(
        self, residuals: Tensor, columns: Tensor, values: Tensor, first: Tensor | None = None
    ) -> Tensor:
        r"""Descent per unit of each code, less its penalty: (n_rows, n_components).

        :math:`D (x - D^\top h) - \mu h - \alpha`: at the solution 0 where a code is active, and at
        most 0 elsewhere (the KKT conditions). With the `first_slopes`, few codes change them by few
        products of atoms, if those are at hand.
        """
        if first is None or self.gram is None or FEW * columns.shape[1] > self.x.shape[1]:
            slopes = (residuals @ self.atoms.T).sub_(self.alpha)
        else:
            slopes = _summed(self.gram, columns, values)
            torch.sub(first, slopes, out=slopes)
        if self.mu:
            # A column may fill several empty slots, with 0 each.
            slopes.scatter_add_(1, columns, -self.mu * values)
        return slopes

    def objectives(self, residuals: Tensor, columns: Tensor, values: Tensor) -> Tensor:
        """Value for each row, in double precision: (n_rows,)."""
        values = values.double()
        penalty = (self.alpha.double()[columns] * values).sum(1)
        ridge = 0.5 * self.mu * values.square().sum(1)
        return 0.5 * residuals.double().square().sum(1) + penalty + ridge

    def gaps(self, residuals: Tensor, slopes: Tensor, columns: Tensor, values: Tensor) -> Tensor:
        r"""Relative duality gaps: an upper bound of how far above the least value each row is.

        The larger of two lower bounds counts. One is the dual of the lasso on augmented rows,
        at the residual scaled down until no slope is positive. The other, with a ridge, is the
        dual at the residual itself, as :math:`\min_{h \ge 0} \frac\mu2 h^2 - s h =
        -s_+^2 / (2\mu)` for :math:`s = d^\top r - \alpha`. Without a ridge, and with a penalty that
        is less than what rounding adds to a slope, no dual point is near: there the gap counts as 0
        if the conditions of optimality hold up to rounding.
        """
        primal = self.objectives(residuals, columns, values)
        r, square = residuals.double(), values.double().square().sum(1)
        fit, along = r.square().sum(1), (r * self.x.double()).sum(1)
        # The largest scale for which scale * (slope + alpha) <= alpha.
        ratio = (slopes / self.alpha.clamp(min=1e-30)).amax(1).clamp(min=0).double()
        scale = 1 / (1 + ratio)
        energy = fit + self.mu * square
        scale = torch.minimum(scale, along.clamp(min=0) / energy.clamp(min=1e-300))
        dual = scale * along - 0.5 * scale.square() * energy
        if self.mu:
            free = slopes.scatter_add(1, columns, self.mu * values).clamp_(min=0)
            ridged = along - 0.5 * fit - free.double().square().sum(1) / (2 * self.mu)
            dual = torch.maximum(dual, ridged)
        gaps = (primal - dual) / primal.clamp(min=1e-300)
        if self.mu:
            return gaps
        is_none = (self.alpha / self._norms()).max() <= NEGLIGIBLE * self._rounding()
        if not bool(is_none.any()):
            return gaps
        return gaps.masked_fill(is_none & self.is_settled(slopes, columns, values), 0.0)

    def is_settled(self, slopes: Tensor, columns: Tensor, values: Tensor) -> Tensor:
        """Whether the conditions of optimality hold up to rounding, for each row: (n_rows,)."""
        slopes = slopes / self._norms()
        worst = torch.where(values > 0, slopes.gather(1, columns).abs(), 0).amax(1)
        return torch.maximum(worst, slopes.amax(1)) <= SETTLED * self._rounding()

    def _rounding(self) -> Tensor:
        """Return the rounding of the product of each row with an atom of norm 1."""
        norms: Tensor = torch.linalg.vector_norm(self.x, dim=1)
        return norms * torch.finfo(self.x.dtype).eps

    def _norms(self) -> Tensor:
        """Return those of the atoms; next to nothing for an atom of 0, whose slope never rises."""
        if self.norms is not None:
            return self.norms
        norms: Tensor = torch.linalg.vector_norm(self.atoms, dim=1)
        return norms.clamp(min=1e-30)

    def double(self) -> "Coding":
        """Return the same problem in double precision."""
        x, atoms, alpha = self.x.double(), self.atoms.double(), self.alpha.double()
        return Coding(x, atoms, alpha, self.mu)


def _summed(table: Tensor, columns: Tensor, values: Tensor) -> Tensor:
    """Sum of rows of a table, as columns and values say; those of empty slots are not read."""
    active = values > 0
    starts = functional.pad(active.sum(1).cumsum(0)[:-1], (1, 0))
    return functional.embedding_bag(
        columns[active], table, starts, per_sample_weights=values[active], mode="sum"
    )
