"""The cases of the study: their rows, their truth, and how the recipe fits their size."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sklearn_aensae.datasets import SpikedDictionaryStream

Array = NDArray[np.floating[Any]]
Truth = tuple[sparse.csr_array, Array]


@dataclass(frozen=True)
class Size:
    """Features, atoms, and active codes per row."""

    n_features: int
    n_components: int
    n_active: int


PAPER = Size(256, 1_024, 16)
WIDE = Size(1_024, 8_192, 32)
TINY = Size(32, 64, 3)
SIZES = {"": PAPER, "wide": WIDE, "tiny": TINY}


@dataclass(frozen=True)
class Case:
    """One kind of data."""

    rho: float
    noise_std: float = 0.0
    signed: bool = False
    size: str = ""

    @property
    def key(self) -> str:
        """What a reader sees."""
        parts = [f"rho {self.rho:g}", f"noise {self.noise_std:g}" if self.noise_std else ""]
        return ", ".join(filter(None, [*parts, "signed" if self.signed else "", self.size]))

    def stream(self, seed: int) -> SpikedDictionaryStream:
        """Rows without an end."""
        size = SIZES[self.size]
        return SpikedDictionaryStream(
            size.n_features,
            size.n_components,
            n_active=size.n_active,
            rho=self.rho,
            noise_std=self.noise_std,
            signed=self.signed,
            random_state=seed,
        )

    def adapted(self, recipe: dict[str, Any]) -> dict[str, Any]:
        """Return a recipe with as many components as the truth needs."""
        return {**recipe, "n_components": SIZES[self.size].n_components * (1 + self.signed)}


def training_rows(stream: SpikedDictionaryStream, n_rows: int) -> Array:
    """Return the first rows of a stream, as one array."""
    rows: Array = np.empty((n_rows, stream.dictionary.shape[1]), dtype=np.float32)
    filled = 0
    for block in stream:
        taken = block[: n_rows - filled]
        rows[filled : filled + len(taken)] = taken
        filled += len(taken)
        if filled == n_rows:
            break
    return rows


def held_out(stream: SpikedDictionaryStream, n_rows: int, signed: bool) -> tuple[Array, Truth]:
    """Rows that are not trained on, and their codes and dictionary without negative codes."""
    X, codes = stream.held_out(n_rows)
    if not signed:
        return X, (codes, stream.dictionary)
    both = sparse.hstack([codes.maximum(0), (-codes).maximum(0)], format="csr")
    return X, (sparse.csr_array(both), np.vstack([stream.dictionary, -stream.dictionary]))
