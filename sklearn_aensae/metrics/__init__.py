"""Metrics of reconstructions, codes and dictionaries, and scorers made of them."""

from sklearn_aensae.metrics.amortization import AmortizationGap, amortization_gap
from sklearn_aensae.metrics.code_error import CodeError, code_error
from sklearn_aensae.metrics.code_statistics import CodeStatistics
from sklearn_aensae.metrics.coverage import parent_coverage
from sklearn_aensae.metrics.dictionary import (
    DictionaryRecovery,
    dictionary_recovery,
    mutual_coherence,
)
from sklearn_aensae.metrics.downstream import LossRecovered, loss_recovered
from sklearn_aensae.metrics.hedging import hedging_degree
from sklearn_aensae.metrics.kkt import kkt_residuals
from sklearn_aensae.metrics.model_selection import best_explained_variance_at_l0
from sklearn_aensae.metrics.reconstruction import (
    centered_shrinkage,
    cosine_similarity,
    explained_variance,
    fraction_of_variance_unexplained,
)
from sklearn_aensae.metrics.reconstruction_statistics import ReconstructionStatistics
from sklearn_aensae.metrics.registration import register_scorers
from sklearn_aensae.metrics.scorers import (
    SCORERS,
    explained_variance_scorer,
    get_scorer,
    neg_dead_share_scorer,
    neg_l0_scorer,
)
from sklearn_aensae.metrics.sparsity import dead_share, feature_density, l0, l1
from sklearn_aensae.metrics.support import SupportRecovery, support_recovery

__all__ = [
    "SCORERS",
    "AmortizationGap",
    "CodeError",
    "CodeStatistics",
    "DictionaryRecovery",
    "LossRecovered",
    "ReconstructionStatistics",
    "SupportRecovery",
    "amortization_gap",
    "best_explained_variance_at_l0",
    "centered_shrinkage",
    "code_error",
    "cosine_similarity",
    "dead_share",
    "dictionary_recovery",
    "explained_variance",
    "explained_variance_scorer",
    "feature_density",
    "fraction_of_variance_unexplained",
    "get_scorer",
    "hedging_degree",
    "kkt_residuals",
    "l0",
    "l1",
    "loss_recovered",
    "mutual_coherence",
    "neg_dead_share_scorer",
    "neg_l0_scorer",
    "parent_coverage",
    "register_scorers",
    "support_recovery",
]
