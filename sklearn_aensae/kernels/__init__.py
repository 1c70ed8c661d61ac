"""Products on sparse codes: the operations whose cost should follow the number of active codes."""

from sklearn_aensae.kernels.codes import ActiveCodes, Codes, DenseCodes

__all__ = ["ActiveCodes", "Codes", "DenseCodes"]
