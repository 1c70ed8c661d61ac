"""Sparse autoencoders as scikit-learn estimators. One per file."""

from sklearn_aensae.estimators._adaptive_elastic_net import AdaptiveElasticNetSAE
from sklearn_aensae.estimators._adaptive_lasso import AdaptiveLassoSAE
from sklearn_aensae.estimators._archetypal import ArchetypalSAE
from sklearn_aensae.estimators._base import BaseSAE
from sklearn_aensae.estimators._batch_topk import BatchTopKSAE
from sklearn_aensae.estimators._crosscoder import Crosscoder
from sklearn_aensae.estimators._decoder_norm_l1 import DecoderNormL1SAE
from sklearn_aensae.estimators._elastic_net import ElasticNetSAE
from sklearn_aensae.estimators._feature_choice import FeatureChoiceSAE
from sklearn_aensae.estimators._gated import GatedSAE
from sklearn_aensae.estimators._jumprelu import JumpReLUSAE
from sklearn_aensae.estimators._l1 import L1SAE
from sklearn_aensae.estimators._many import fit_many
from sklearn_aensae.estimators._matryoshka import MatryoshkaSAE
from sklearn_aensae.estimators._matryoshka_l1 import MatryoshkaL1SAE
from sklearn_aensae.estimators._mutual_choice import MutualChoiceSAE
from sklearn_aensae.estimators._p_annealing import PAnnealingSAE
from sklearn_aensae.estimators._poly import PolySAE
from sklearn_aensae.estimators._topk import TopKSAE
from sklearn_aensae.estimators._transcoder import Transcoder
from sklearn_aensae.estimators._tree import TreeSAE

__all__ = [
    "L1SAE",
    "AdaptiveElasticNetSAE",
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
    "MatryoshkaL1SAE",
    "MatryoshkaSAE",
    "MutualChoiceSAE",
    "PAnnealingSAE",
    "PolySAE",
    "TopKSAE",
    "Transcoder",
    "TreeSAE",
    "fit_many",
]
