"""Sparse autoencoders as scikit-learn estimators.

Sparse autoencoders (SAEs) turn activations, of a language model or any other numbers, into sparse
codes over a learned dictionary. Here each is a scikit-learn transformer, trained by torch.
"""

from sklearn_aensae import datasets, exceptions, inspection, metrics, recipes, theory
from sklearn_aensae._discovery import all_saes
from sklearn_aensae.estimators import (
    L1SAE,
    AdaptiveElasticNetSAE,
    AdaptiveLassoSAE,
    ArchetypalSAE,
    BaseSAE,
    BatchTopKSAE,
    Crosscoder,
    DecoderNormL1SAE,
    ElasticNetSAE,
    FeatureChoiceSAE,
    GatedSAE,
    JumpReLUSAE,
    MatryoshkaL1SAE,
    MatryoshkaSAE,
    MutualChoiceSAE,
    PAnnealingSAE,
    PolySAE,
    TopKSAE,
    Transcoder,
    TreeSAE,
    fit_many,
)
from sklearn_aensae.io import load
from sklearn_aensae.llm import LLMActivationTransformer
from sklearn_aensae.model_selection import AdaptiveElasticNetSAECV, sae_path

__all__ = [
    "L1SAE",
    "AdaptiveElasticNetSAE",
    "AdaptiveElasticNetSAECV",
    "AdaptiveLassoSAE",
    "ArchetypalSAE",
    "BaseSAE",
    "BatchTopKSAE",
    "Crosscoder",
    "DecoderNormL1SAE",
    "ElasticNetSAE",
    "FeatureChoiceSAE",
    "GatedSAE",
    "JumpReLUSAE",
    "LLMActivationTransformer",
    "MatryoshkaL1SAE",
    "MatryoshkaSAE",
    "MutualChoiceSAE",
    "PAnnealingSAE",
    "PolySAE",
    "TopKSAE",
    "Transcoder",
    "TreeSAE",
    "all_saes",
    "datasets",
    "exceptions",
    "fit_many",
    "inspection",
    "load",
    "metrics",
    "recipes",
    "sae_path",
    "theory",
]

__version__ = "0.1.0.dev0"
