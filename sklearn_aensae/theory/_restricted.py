"""The elastic net on a given support, for rows that are made of it."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_aensae.theory._arguments import Floats, check_strength, check_weights
from sklearn_aensae.theory.gram import rounding

__all__ = ["Penalty", "check_signs"]


class Penalty:
    """Checked penalties, and what they do to codes."""

    def __init__(self, atoms: Floats, lambda_1: float, lambda_2: float, weights: Any) -> None:
        self.atoms, self.weights = atoms, check_weights(weights, len(atoms))
        self.half = atoms.shape[1] * check_strength(lambda_1, "lambda_1", positive=True) / 2
        self.ridge = atoms.shape[1] * check_strength(lambda_2, "lambda_2")

    def restricted(self, members: npt.NDArray[np.intp], h: Floats) -> tuple[Floats, Floats]:
        """Residual over n lambda_1 / 2 of coding on the support alone, and the codes."""
        atoms = self.atoms[members]
        # One decomposition says whether the codes are unique, and what they are.
        left, lengths, right = np.linalg.svd(atoms, full_matrices=False)
        curvature = np.square(lengths) + self.ridge
        is_short = len(lengths) < len(members)
        least = self.ridge if is_short else curvature.min()
        if least <= rounding(atoms, curvature):
            raise ValueError(
                f"The atoms of support {members.tolist()} are linearly dependent up to rounding: "
                "without a ridge, or with so small a lambda_2, their codes are not unique."
            )
        wanted = self.weights[members] * np.sign(h) + self.ridge / self.half * h
        along = left.T @ wanted
        loss = left @ (along / curvature)
        if is_short:
            loss += (wanted - left @ along) / self.ridge
        return right.T @ (lengths * along / curvature), h - self.half * loss

    def scores(self, direction: Floats, signed: bool) -> Floats:
        """Slope of each component at such a residual, over its weight: (n_components,)."""
        slopes: Floats = self.atoms @ direction
        return (np.abs(slopes) if signed else slopes) / self.weights


def check_signs(values: npt.NDArray[np.floating[Any]], name: str, signed: bool) -> None:
    """Raise if true codes have signs that coding would not give them."""
    if not signed and (values < 0).any():
        raise ValueError(f"{name} holds negative codes: signed=True allows them.")
    if (values == 0).any():
        raise ValueError(f"{name} is 0 for a component of the support: leave it out.")
