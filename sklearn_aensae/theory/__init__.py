"""What theory says about a dictionary and its codes, as numbers that can be computed."""

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

__all__ = [
    "Coherence",
    "GramSpectra",
    "GramSpectrum",
    "IrrepresentableScore",
    "IrrepresentableScores",
    "active_gram_spectra",
    "active_gram_spectrum",
    "coherence",
    "cross_leverage",
    "irrepresentable_score",
    "irrepresentable_scores",
    "lipschitz_bound",
    "support_lipschitz",
]
