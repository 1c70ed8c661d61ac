"""Ready configurations: constructor parameters, and nothing else; docs/recipes.md has the reasons.

Each is a read-only mapping for one class. ``AdaptiveElasticNetSAE(**recipes.SPIKED)`` takes one as
it is, ``AdaptiveElasticNetSAE(**{**recipes.SPIKED, "random_state": 0})`` with a change; those whose
name ends in ``_ACTIVATIONS`` are for `LLMActivationTransformer`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = [
    "LLAMA_3_1_8B_LAYER_16",
    "LLAMA_3_1_8B_LAYER_16_ACTIVATIONS",
    "LLAMA_3_1_8B_LAYER_16_OURS",
    "LLAMA_3_1_8B_LAYER_16_OURS_ACTIVATIONS",
    "PYTHIA_70M_LAYER_3",
    "PYTHIA_70M_LAYER_3_ACTIVATIONS",
    "PYTHIA_70M_LAYER_3_OURS",
    "PYTHIA_70M_LAYER_3_OURS_ACTIVATIONS",
    "SPIKED",
    "SPIKED_NOISY",
]

Recipe = Mapping[str, Any]

_PUBLISHED_PACKING: Recipe = MappingProxyType(
    {
        "packing": True,
        "max_length": 128,
        "add_bos": False,
        "exclude_special_tokens": False,
    }
)

_PUBLISHED_TRAINING: Recipe = MappingProxyType(
    {
        "lambda_2": 1e-4,
        "lambda_warmup": 0,
        "gamma": 0.5,
        "ema_beta": 0.9999,
        "ema_correction": False,
        "weight_statistic": "mean",
        "weight_reference": "top",
        "weight_top_share": 0.05,
        "weight_min": 0.01,
        "weight_max": 10.0,
        "weight_cap": "hard",
        "normalize_weights": False,
        "adaptation_start": 4_000,
        "adaptation_ramp": 2_000,
        "dead_features": None,
        "init": "paper",
        "input_scaling": "sample_norm",
        "optimizer": "adam",
        "lr_warmup": 0,
        "lr_decay": 0,
        "shuffle": False,
        "dtype": "float32",
    }
)

PYTHIA_70M_LAYER_3_ACTIVATIONS: Recipe = MappingProxyType(
    {
        "model": "EleutherAI/pythia-70m-deduped",
        "layer": 3,
        "dtype": "float16",
        **_PUBLISHED_PACKING,
    }
)

PYTHIA_70M_LAYER_3: Recipe = MappingProxyType(
    {
        "n_components": 4_096,
        "lambda_1": 0.005,
        **_PUBLISHED_TRAINING,
        "batch_size": 8_192,
        "max_steps": 25_000,
        "learning_rate": 1e-3,
        "dead_window": 10_000 * 8_192,
    }
)

LLAMA_3_1_8B_LAYER_16_ACTIVATIONS: Recipe = MappingProxyType(
    {
        "model": "meta-llama/Llama-3.1-8B",
        "layer": 16,
        "dtype": "bfloat16",
        **_PUBLISHED_PACKING,
    }
)

LLAMA_3_1_8B_LAYER_16: Recipe = MappingProxyType(
    {
        "n_components": 131_072,
        "lambda_1": 0.002,
        **_PUBLISHED_TRAINING,
        "batch_size": 4_096,
        "max_steps": 100_000,
        "learning_rate": 5e-4,
        "dead_window": 10_000 * 4_096,
    }
)

_OUR_PACKING: Recipe = MappingProxyType(
    {
        "packing": True,
        "max_length": 128,
        "add_bos": "auto",
        "exclude_special_tokens": True,
        "max_norm_ratio": 10.0,
    }
)

PYTHIA_70M_LAYER_3_OURS_ACTIVATIONS: Recipe = MappingProxyType(
    {**PYTHIA_70M_LAYER_3_ACTIVATIONS, **_OUR_PACKING}
)

PYTHIA_70M_LAYER_3_OURS: Recipe = MappingProxyType(
    {
        "n_components": 4_096,
        "target_l0": 32.0,
        "lambda_2": 1e-4,
        "debias": True,
        "batch_size": 8_192,
        "max_steps": 25_000,
        "learning_rate": 1e-3,
        "dead_window": 10_000_000,
    }
)

LLAMA_3_1_8B_LAYER_16_OURS_ACTIVATIONS: Recipe = MappingProxyType(
    {**LLAMA_3_1_8B_LAYER_16_ACTIVATIONS, **_OUR_PACKING}
)

LLAMA_3_1_8B_LAYER_16_OURS: Recipe = MappingProxyType(
    {
        "n_components": 131_072,
        "target_l0": 64.0,
        "lambda_2": 1e-5,
        "debias": True,
        "batch_size": 4_096,
        "max_steps": 100_000,
        "learning_rate": 5e-4,
        "dead_window": 10_000_000,
    }
)

SPIKED: Recipe = MappingProxyType(
    {
        "n_components": 1_024,
        "input_scaling": "whiten",
        "lambda_1": 0.01,
        "lambda_2": 1e-4,
        "lambda_warmup": 1.0,
        "batch_size": 512,
        "max_steps": 2_000,
        "learning_rate": 1e-3,
        "transform_method": "exact",
        "debias": True,
        "decoder_refits": 24,
    }
)

SPIKED_NOISY: Recipe = MappingProxyType(
    {
        "n_components": 1_024,
        "input_scaling": "whiten",
        "target_l0": 16.0,
        "lambda_2": 1e-4,
        "batch_size": 512,
        "max_steps": 1_200,
        "learning_rate": 2e-3,
        "transform_method": "exact",
        "debias": "thresholded",
        "decoder_refits": 24,
    }
)
