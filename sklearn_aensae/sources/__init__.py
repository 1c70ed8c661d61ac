"""Where batches come from."""

from sklearn_aensae.sources.array import ArraySource
from sklearn_aensae.sources.base import Source
from sklearn_aensae.sources.blocks import BlockSource
from sklearn_aensae.sources.paired import PairedSource, PairStream, as_paired_source
from sklearn_aensae.sources.resolve import as_source, is_stream, recognize
from sklearn_aensae.sources.scaling import InputScaling
from sklearn_aensae.sources.shards import Rows, Shards
from sklearn_aensae.sources.stream import Stream, StreamSource
from sklearn_aensae.sources.whitening import Whitening

__all__ = [
    "ArraySource",
    "BlockSource",
    "InputScaling",
    "PairStream",
    "PairedSource",
    "Rows",
    "Shards",
    "Source",
    "Stream",
    "StreamSource",
    "Whitening",
    "as_paired_source",
    "as_source",
    "is_stream",
    "recognize",
]
