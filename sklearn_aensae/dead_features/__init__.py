"""Strategies that revive dead features. One per file."""

from sklearn_aensae.dead_features.auxk import AuxK
from sklearn_aensae.dead_features.layer_auxk import LayerAuxK

__all__ = ["AuxK", "LayerAuxK"]
