"""Which methods there are; peers only where they are installed."""

from .dense import DenseAEN, DensePaperAEN, DenseTopK, SparseDenseAEN
from .method import Method
from .ours import AEN, ClippedTopK, SparseAEN, TopK
from .peer_dictionary_learning import DICTIONARY_LEARNING_VARIANTS, DictionaryLearning
from .peer_overcomplete import Overcomplete
from .peer_sae_lens import SAELENS_VARIANTS, SAELens
from .peer_sklearn import SklearnDictionary
from .peer_sparsify import Sparsify

__all__ = ["FITS", "METHODS", "PEERS", "STEPS", "VARIANT_PEERS", "installed"]

PEERS: list[type[Method]] = [SAELens, DictionaryLearning, Sparsify, Overcomplete]

VARIANT_PEERS: list[type[Method]] = [*SAELENS_VARIANTS, *DICTIONARY_LEARNING_VARIANTS]
"""Peers' forms of other methods than TopK, for the part "variants"."""

STEPS: list[type[Method]] = [
    TopK, ClippedTopK, DenseTopK, *PEERS, SparseAEN, SparseDenseAEN, SklearnDictionary
]  # fmt: skip
"""Methods of the part "steps", in the order of the table; the first of a kind is ours."""

FITS: list[type[Method]] = [TopK, DenseTopK, *PEERS, AEN, DenseAEN, DensePaperAEN]
"""Methods of the part "quality"."""

METHODS = {cls.name: cls for cls in dict.fromkeys([*STEPS, *FITS])}


def installed(methods: list[type[Method]]) -> list[type[Method]]:
    """Return those that can run here."""
    return [cls for cls in methods if cls.is_installed()]
