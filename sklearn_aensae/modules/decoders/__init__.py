"""Decoders: from codes back to inputs. One per file."""

from sklearn_aensae.modules.decoders.free import FreeDecoder
from sklearn_aensae.modules.decoders.linear import LinearDecoder

__all__ = ["FreeDecoder", "LinearDecoder"]
