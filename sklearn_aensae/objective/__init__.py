"""What is minimised: a sum of terms."""

from sklearn_aensae.objective.base import Term
from sklearn_aensae.objective.objective import Objective

__all__ = ["Objective", "Term"]
