"""What the paper publishes: the best configuration of each family at each rho, one seed each."""

from dataclasses import dataclass
from typing import Any

PARAMETERS = {
    "AEN": ("lambda_1", "lambda_2", "gamma", "ema_beta", "weight_top_share"),
    "ALasso": ("lambda_1", "gamma", "ema_beta", "weight_top_share"),
    "ENet": ("lambda_1", "lambda_2"),
    "Vanilla": ("lambda_1",),
    "TopK": ("k",),
}
"""Names of the values that a configuration is written with, in their order."""

BEST, NEAREST = "best EV", "nearest L0=16"
"""Why a configuration is in the table: most EV at L0 8 to 40, or L0 next to 16."""


@dataclass(frozen=True)
class Row:
    """A configuration and its published figures: active codes, EV, and dead features in percent."""

    rho: float
    family: str
    pick: str
    values: str
    L0: float
    EV: float
    dead: float

    @property
    def params(self) -> dict[str, Any]:
        """The configuration as parameters of an estimator."""
        read = int if self.family == "TopK" else float
        values = map(read, self.values.split("/"))
        return dict(zip(PARAMETERS[self.family], values, strict=True))

    @property
    def key(self) -> str:
        """What tells rows apart."""
        return f"{self.rho} {self.family} {self.values}"


ROWS = (
    Row(0.0, "AEN", BEST, "0.001/0.0001/1/0.999/0.05", 37.4, 0.858, 0.0),
    Row(0.0, "AEN", NEAREST, "0.001/0.0005/1/0.999/0.01", 15.6, 0.525, 0.0),
    Row(0.0, "ALasso", BEST, "0.001/1/0.999/0.05", 29.4, 0.836, 0.0),
    Row(0.0, "ALasso", NEAREST, "0.001/1/0.999/0.01", 15.0, 0.569, 0.0),
    Row(0.0, "ENet", BEST, "0.005/0.0001", 20.2, 0.694, 1.6),
    Row(0.0, "TopK", BEST, "32", 32.0, 0.811, 2.2),
    Row(0.0, "TopK", NEAREST, "16", 16.0, 0.691, 4.7),
    Row(0.0, "Vanilla", BEST, "0.005", 21.4, 0.712, 1.6),
    Row(0.5, "AEN", BEST, "0.001/0.0005/0.5/0.9999/0.01", 31.4, 0.782, 1.7),
    Row(0.5, "AEN", NEAREST, "0.001/0.001/1/0.9999/0.01", 14.4, 0.351, 1.3),
    Row(0.5, "ALasso", BEST, "0.001/0.5/0.9999/0.01", 28.1, 0.755, 6.3),
    Row(0.5, "ALasso", NEAREST, "0.001/1/0.9999/0.01", 7.8, 0.325, 16.8),
    Row(0.5, "ENet", BEST, "0.005/0.0005", 15.7, 0.380, 24.1),
    Row(0.5, "TopK", BEST, "32", 32.0, 0.294, 92.4),
    Row(0.5, "TopK", NEAREST, "16", 15.9, 0.181, 95.5),
    Row(0.5, "Vanilla", BEST, "0.005", 14.0, 0.394, 27.0),
    Row(0.9, "AEN", BEST, "0.001/0.0001/0.5/0.9999/0.05", 18.2, 0.671, 44.9),
    Row(0.9, "ALasso", BEST, "0.001/0.5/0.9999/0.05", 16.7, 0.655, 48.5),
    Row(0.9, "ENet", BEST, "0.005/0.0005", 8.2, 0.360, 84.0),
    Row(0.9, "ENet", NEAREST, "0.005/0.001", 14.0, 0.328, 82.1),
    Row(0.9, "TopK", BEST, "32", 31.7, 0.530, 96.4),
    Row(0.9, "TopK", NEAREST, "16", 14.9, 0.450, 97.5),
    Row(0.9, "Vanilla", NEAREST, "0.005", 1.5, 0.382, 90.5),
)
"""Table C.1 for rho 0, .5 and .9 (result tables of the authors of arXiv 2605.05341)."""
