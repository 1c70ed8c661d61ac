"""Penalties on codes. One per file."""

from sklearn_aensae.objective.penalties.adaptive_l1 import AdaptiveL1
from sklearn_aensae.objective.penalties.annealed_lp import AnnealedLp
from sklearn_aensae.objective.penalties.decoder_norm_l1 import DecoderNormL1
from sklearn_aensae.objective.penalties.gate_sum import GateSum
from sklearn_aensae.objective.penalties.l1 import L1
from sklearn_aensae.objective.penalties.l2 import L2
from sklearn_aensae.objective.penalties.nested_l1 import NestedL1
from sklearn_aensae.objective.penalties.tanh import Tanh
from sklearn_aensae.objective.penalties.target_l0 import TargetL0

__all__ = [
    "L1",
    "L2",
    "AdaptiveL1",
    "AnnealedLp",
    "DecoderNormL1",
    "GateSum",
    "NestedL1",
    "Tanh",
    "TargetL0",
]
