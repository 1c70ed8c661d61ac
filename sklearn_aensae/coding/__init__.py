"""Exact sparse codes: what an encoder only approximates."""

from sklearn_aensae.coding.active_set import Solution, solve
from sklearn_aensae.coding.debias import debias, threshold
from sklearn_aensae.coding.problem import Coding, products
from sklearn_aensae.coding.refit import NormalEquations

__all__ = ["Coding", "NormalEquations", "Solution", "debias", "products", "solve", "threshold"]
