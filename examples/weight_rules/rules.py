"""The rules that are compared: what each changes in the library's own, or in the paper's."""

from typing import Any

__all__ = ["OURS", "PAPER", "RULES"]

OURS: dict[str, Any] = {
    "gamma": 0.5,
    "ema_correction": True,
    "weight_statistic": "active_mean",
    "weight_reference": "median",
    "weight_cap": "hard",
    "normalize_weights": True,
}
"""As the study found them: written out, so that it stays what it was if a default changes."""

PAPER: dict[str, Any] = {
    "gamma": 0.5,
    "ema_correction": False,
    "weight_statistic": "mean",
    "weight_reference": "top",
    "weight_cap": "hard",
    "normalize_weights": False,
}

RULES: dict[str, dict[str, Any]] = {
    "no weights": OURS | {"gamma": 0.0},
    "paper": PAPER,
    "paper, corrected": PAPER | {"ema_correction": True},
    "ours": OURS,
    "ours, gamma 0.25": OURS | {"gamma": 0.25},
    "ours, gamma 1": OURS | {"gamma": 1.0},
    "ours, mean over all rows": OURS | {"weight_statistic": "mean"},
    "ours, reference 0.9": OURS | {"weight_reference": 0.9},
    "ours, reference top": OURS | {"weight_reference": "top"},
    "ours, soft cap": OURS | {"weight_cap": "soft"},
    "ours, not normalised": OURS | {"normalize_weights": False},
    "ours, mean, 0.9, soft": OURS
    | {"weight_statistic": "mean", "weight_reference": 0.9, "weight_cap": "soft"},
}
"""One change of ours at a time, what the paper's becomes by the correction, and one combination."""
