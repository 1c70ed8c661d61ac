"""Activations: from pre-codes to sparse codes. One per file."""

from sklearn_aensae.modules.activations.base import Activation
from sklearn_aensae.modules.activations.batch_topk import BatchTopK
from sklearn_aensae.modules.activations.feature_choice import FeatureChoice
from sklearn_aensae.modules.activations.gated import Gated
from sklearn_aensae.modules.activations.jumprelu import JumpReLU
from sklearn_aensae.modules.activations.multi_topk import MultiTopK
from sklearn_aensae.modules.activations.relu import ReLU
from sklearn_aensae.modules.activations.topk import TopK
from sklearn_aensae.modules.activations.tree import Tree

__all__ = [
    "Activation",
    "BatchTopK",
    "FeatureChoice",
    "Gated",
    "JumpReLU",
    "MultiTopK",
    "ReLU",
    "TopK",
    "Tree",
]
