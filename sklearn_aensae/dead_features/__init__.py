"""Strategies that revive dead features. One per file."""

from sklearn_aensae.dead_features.aux_zipf import AuxZipf
from sklearn_aensae.dead_features.auxk import AuxK

__all__ = ["AuxK", "AuxZipf"]
