"""Strategies that revive dead features. One per file."""

from sklearn_aensae.dead_features.auxk import AuxK

__all__ = ["AuxK"]
