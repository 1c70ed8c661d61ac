"""The transformer's parameters as a model and as windows."""

import pytest

from sklearn_aensae.llm.options import language_model, windows


def test_the_models_context_is_the_limit(activations):
    options = activations()
    assert windows(options, language_model(options)).max_length == 32


def test_a_window_beyond_the_context_is_refused(activations):
    options = activations(max_length=33)
    with pytest.raises(ValueError, match="max_length=33 is above the model's context of 32"):
        windows(options, language_model(options))


def test_special_tokens_are_excluded_when_asked(activations):
    options = activations(exclude_special_tokens=False, add_bos=True)
    assert windows(options, language_model(options)).excluded == []
    assert windows(options, language_model(options)).prefix == [0]
    options = activations()
    assert windows(options, language_model(options)).excluded == [0]


def test_equal_parameters_name_the_same_model(activations):
    assert language_model(activations()) == language_model(
        activations(max_batch_tokens=24, verbose=True)
    )
    assert language_model(activations()) != language_model(activations(dtype="float16"))
    assert language_model(activations()) != language_model(activations(), with_head=True)
