"""Where batches come from."""

from sklearn_aensae.sources.array import ArraySource
from sklearn_aensae.sources.scaling import InputScaling

__all__ = ["ArraySource", "InputScaling"]
