"""The strength of a penalty: paths of warm-started fits, and cross-validation along them."""

from sklearn_aensae.model_selection._cv import AdaptiveElasticNetSAECV
from sklearn_aensae.model_selection._path import SAEPath, sae_path

__all__ = ["AdaptiveElasticNetSAECV", "SAEPath", "sae_path"]
