"""Reconstruction errors. One per file."""

from sklearn_aensae.objective.reconstruction.gate_reconstruction import GateReconstruction
from sklearn_aensae.objective.reconstruction.mse import MSE
from sklearn_aensae.objective.reconstruction.nested import Nested
from sklearn_aensae.objective.reconstruction.wider import Wider

__all__ = ["MSE", "GateReconstruction", "Nested", "Wider"]
