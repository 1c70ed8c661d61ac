"""Recipes: accepted as they are, read-only, and the published ones as published."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from sklearn.base import clone

from sklearn_aensae import AdaptiveElasticNetSAE, LLMActivationTransformer, recipes
from sklearn_aensae.datasets import SpikedDictionaryStream
from sklearn_aensae.llm.validation import check_params
from sklearn_aensae.params import validate_params

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"
ALL = {name: getattr(recipes, name) for name in recipes.__all__}
SAES = {name: recipe for name, recipe in ALL.items() if not name.endswith("_ACTIVATIONS")}
TEXTS = {name: recipe for name, recipe in ALL.items() if name.endswith("_ACTIVATIONS")}


@pytest.mark.parametrize("name", SAES)
def test_its_estimator_takes_it(name):
    sae = AdaptiveElasticNetSAE(**SAES[name])
    validate_params(sae)
    given = clone(sae).get_params()
    assert {key: given[key] for key in SAES[name]} == SAES[name]


@pytest.mark.parametrize("name", TEXTS)
def test_the_transformer_takes_it_and_its_model_is_that_of_the_estimator(name):
    check_params(LLMActivationTransformer(**TEXTS[name]))
    assert name.removesuffix("_ACTIVATIONS") in SAES
    model, layer = TEXTS[name]["model"].lower(), TEXTS[name]["layer"]
    assert name.startswith("PYTHIA_70M" if "pythia-70m" in model else "LLAMA_3_1_8B")
    assert f"_LAYER_{layer}_" in name


@pytest.mark.parametrize("name", ALL)
def test_nobody_can_change_it_for_others(name):
    recipe = ALL[name]
    assert isinstance(recipe, Mapping)
    with pytest.raises(TypeError, match="item assignment"):
        recipe["n_components"] = 2
    assert all(isinstance(value, int | float | str | None) for value in recipe.values())


@pytest.mark.parametrize("name", ALL)
def test_the_page_explains_it(name):
    assert f"`{name}`" in PAGE.read_text()


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        (
            recipes.PYTHIA_70M_LAYER_3,
            {
                "n_components": 4096, "lambda_1": 0.005, "batch_size": 8192, "max_steps": 25_000,
                "learning_rate": 1e-3, "dead_window": 81_920_000,
            },
        ),
        (
            recipes.LLAMA_3_1_8B_LAYER_16,
            {
                "n_components": 131_072, "lambda_1": 0.002, "batch_size": 4096,
                "max_steps": 100_000, "learning_rate": 5e-4, "dead_window": 40_960_000,
            },
        ),
    ],
)  # fmt: skip
def test_published_numbers(recipe, expected):
    shared = {
        "lambda_2": 1e-4, "gamma": 0.5, "ema_beta": 0.9999, "weight_top_share": 0.05,
        "weight_min": 0.01, "weight_max": 10.0, "adaptation_start": 4000, "adaptation_ramp": 2000,
        "ema_correction": False, "weight_statistic": "mean", "weight_reference": "top",
        "normalize_weights": False, "init": "paper", "input_scaling": "sample_norm",
        "lambda_warmup": 0, "lr_warmup": 0, "lr_decay": 0, "shuffle": False, "target_l0": None,
        "transform_method": "encoder", "debias": False, "decoder_refits": 0,
    }  # fmt: skip
    given = AdaptiveElasticNetSAE(**recipe).get_params()
    expected = shared | expected
    assert {name: given[name] for name in expected} == expected


def test_published_windows():
    packing = {
        "packing": True, "max_length": 128, "add_bos": False, "exclude_special_tokens": False,
    }  # fmt: skip
    assert {
        "model": "EleutherAI/pythia-70m-deduped", "layer": 3, "dtype": "float16", **packing,
    } == recipes.PYTHIA_70M_LAYER_3_ACTIVATIONS  # fmt: skip
    assert {
        "model": "meta-llama/Llama-3.1-8B", "layer": 16, "dtype": "bfloat16", **packing,
    } == recipes.LLAMA_3_1_8B_LAYER_16_ACTIVATIONS  # fmt: skip


@pytest.mark.filterwarnings("ignore:target_l0=.* was missed")
@pytest.mark.parametrize("name", SAES)
def test_a_small_version_trains(name):
    short = {"n_components": 48, "max_steps": 20, "batch_size": 32, "random_state": 0}
    recipe = {**SAES[name], **short}
    phases = {"adaptation_start": 4, "adaptation_ramp": 2}
    phases["target_l0"] = 3
    recipe |= {key: value for key, value in phases.items() if key in recipe}
    X, _ = SpikedDictionaryStream(16, 32, n_active=3, random_state=0).held_out(400)
    sae = AdaptiveElasticNetSAE(**recipe).fit(X)
    assert sae.n_steps_ == 20
    assert sae.transform(X[:5]).shape == (5, 48)
