"""Exact sparse codes: what an encoder only approximates."""

from sklearn_aensae.coding.active_set import Solution, solve
from sklearn_aensae.coding.problem import Coding

__all__ = ["Coding", "Solution", "solve"]
