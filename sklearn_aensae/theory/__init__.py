"""What theory says about a dictionary and its codes, as numbers that can be computed."""

from sklearn_aensae.theory.adaptivity import PinnedShare, effective_sample_size, pinned_share
from sklearn_aensae.theory.ceiling import SignalCeiling, signal_ceiling
from sklearn_aensae.theory.coherence import Coherence, coherence
from sklearn_aensae.theory.gram import (
    GramSpectra,
    GramSpectrum,
    active_gram_spectra,
    active_gram_spectrum,
)
from sklearn_aensae.theory.irrepresentable import (
    IrrepresentableScore,
    IrrepresentableScores,
    irrepresentable_score,
    irrepresentable_scores,
)
from sklearn_aensae.theory.leverage import cross_leverage
from sklearn_aensae.theory.lipschitz import lipschitz_bound, support_lipschitz
from sklearn_aensae.theory.perturbation import EmpiricalLipschitz, empirical_lipschitz

__all__ = [
    "Coherence",
    "EmpiricalLipschitz",
    "GramSpectra",
    "GramSpectrum",
    "IrrepresentableScore",
    "IrrepresentableScores",
    "PinnedShare",
    "SignalCeiling",
    "active_gram_spectra",
    "active_gram_spectrum",
    "coherence",
    "cross_leverage",
    "effective_sample_size",
    "empirical_lipschitz",
    "irrepresentable_score",
    "irrepresentable_scores",
    "lipschitz_bound",
    "pinned_share",
    "signal_ceiling",
    "support_lipschitz",
]
