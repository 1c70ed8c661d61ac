"""Parameters that are not allowed, alone or together."""

import numpy as np
import pytest
from torch import nn

from llm.tiny import build_model
from sklearn_aensae.llm import LLMActivationTransformer
from sklearn_aensae.llm.validation import check_params


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("model", ""),
        ("model", 3),
        ("model", nn.Linear(1, 1)),
        ("layer", True),
        ("layer", 1.0),
        ("layer", None),
        ("layer", []),
        ("layer", "12"),
        ("layer", [1, 1]),
        ("layer", [1, True]),
        ("layer", [1, 2.0]),
        ("layer", {1, 2}),
        ("pooling", "sum"),
        ("max_length", 0),
        ("long_texts", "wrap"),
        ("stride", 0),
        ("packing", 1),
        ("add_bos", 1),
        ("add_bos", "yes"),
        ("exclude_special_tokens", "no"),
        ("max_norm_ratio", 1.0),
        ("max_norm_ratio", "10"),
        ("max_norm_ratio", True),
        ("max_norm_ratio", np.inf),
        ("block_path", ""),
        ("max_batch_tokens", 0),
        ("dtype", "int8"),
        ("device", ""),
        ("trust_remote_code", "yes"),
        ("revision", ""),
        ("verbose", 2),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(parameter, value):
    transformer = LLMActivationTransformer("name", 0).set_params(**{parameter: value})
    with pytest.raises(ValueError, match=rf"{parameter} must be .*got "):
        check_params(transformer)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"packing": True, "pooling": "mean"}, "packing=True.*needs pooling='tokens'"),
        ({"packing": True, "long_texts": "split"}, "packing=True.*leave long_texts"),
        ({"stride": 4}, "stride=4 is for long_texts='split'"),
    ],
)
def test_options_that_exclude_each_other(options, message):
    with pytest.raises(ValueError, match=message):
        check_params(LLMActivationTransformer("name", 0, **options))


@pytest.mark.parametrize("options", [{"dtype": "float16"}, {"device": "cpu"}])
def test_a_loaded_model_is_not_converted(options):
    with pytest.raises(ValueError, match="dtype and device are for a model that is loaded by name"):
        check_params(LLMActivationTransformer(build_model("gpt2"), 0, **options))


@pytest.mark.parametrize("layer", [-1, np.int64(2), [3], (2, -1), range(3)])
def test_allowed_layers_pass(layer):
    check_params(LLMActivationTransformer("name", layer))


def test_allowed_values_pass(tmp_path):
    for ratio in (10, np.int64(10), np.float32(10)):
        check_params(LLMActivationTransformer(tmp_path, -1, add_bos=True, max_norm_ratio=ratio))
    check_params(LLMActivationTransformer("name", 0, long_texts="split", stride=4, dtype="float16"))
