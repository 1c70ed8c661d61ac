"""Strategies that revive dead features. One per file."""

from sklearn_aensae.dead_features.aux_zipf import AuxZipf
from sklearn_aensae.dead_features.auxk import AuxK
from sklearn_aensae.dead_features.base import DeadTerm
from sklearn_aensae.dead_features.ghost import Ghost
from sklearn_aensae.dead_features.layer_auxk import LayerAuxK
from sklearn_aensae.dead_features.pre_activation import PreActivation

__all__ = ["AuxK", "AuxZipf", "DeadTerm", "Ghost", "LayerAuxK", "PreActivation"]
