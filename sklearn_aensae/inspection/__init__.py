"""Looking at what was learned: displays in scikit-learn's manner, and the contexts of a feature."""

from sklearn_aensae.inspection.density import FeatureDensityDisplay
from sklearn_aensae.inspection.top_contexts import Context, top_contexts
from sklearn_aensae.inspection.training_curve import TrainingCurveDisplay
from sklearn_aensae.inspection.tree_text import tree_text

__all__ = [
    "Context",
    "FeatureDensityDisplay",
    "TrainingCurveDisplay",
    "top_contexts",
    "tree_text",
]
