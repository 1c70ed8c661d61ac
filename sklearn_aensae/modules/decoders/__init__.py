"""Decoders: from codes back to inputs. One per file."""

from sklearn_aensae.modules.decoders.archetypal import ArchetypalDecoder
from sklearn_aensae.modules.decoders.base import Decoder
from sklearn_aensae.modules.decoders.free import FreeDecoder
from sklearn_aensae.modules.decoders.linear import LinearDecoder
from sklearn_aensae.modules.decoders.polynomial import PolynomialDecoder

__all__ = ["ArchetypalDecoder", "Decoder", "FreeDecoder", "LinearDecoder", "PolynomialDecoder"]
