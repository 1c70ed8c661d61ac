"""Synthetic data sets with their ground truth, and texts and a language model that ship along."""

from sklearn_aensae.datasets.feature_tree import make_feature_tree
from sklearn_aensae.datasets.interactions import make_interactions
from sklearn_aensae.datasets.sparse_codes import make_sparse_codes
from sklearn_aensae.datasets.spiked_dictionary import make_spiked_dictionary
from sklearn_aensae.datasets.spiked_stream import SpikedDictionaryStream
from sklearn_aensae.datasets.stdlib import load_stdlib_texts
from sklearn_aensae.datasets.tiny_lm import TINY_LM, load_tiny_lm, tiny_lm_path

__all__ = [
    "TINY_LM",
    "SpikedDictionaryStream",
    "load_stdlib_texts",
    "load_tiny_lm",
    "make_feature_tree",
    "make_interactions",
    "make_sparse_codes",
    "make_spiked_dictionary",
    "tiny_lm_path",
]
