"""The engine: a skorch net that trains without reading the device in every batch."""

from sklearn_aensae.training.batches import Batches
from sklearn_aensae.training.lockstep import Lockstep
from sklearn_aensae.training.monitor import Monitor
from sklearn_aensae.training.net import SAENet
from sklearn_aensae.training.penalty_control import L0Control, PenaltyControl
from sklearn_aensae.training.reallocation import Reallocation
from sklearn_aensae.training.resampling import Resampling
from sklearn_aensae.training.schedules import LearningRateSchedule, PenaltyWarmUp

__all__ = [
    "Batches",
    "L0Control",
    "LearningRateSchedule",
    "Lockstep",
    "Monitor",
    "PenaltyControl",
    "PenaltyWarmUp",
    "Reallocation",
    "Resampling",
    "SAENet",
]
