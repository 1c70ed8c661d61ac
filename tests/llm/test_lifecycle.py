"""What a use leaves behind, and what becomes of it."""

import copy

import pytest

from llm.tiny import TEXTS


def test_the_model_is_loaded_once(activations):
    transformer = activations()
    transformer.transform(TEXTS)
    network = transformer._language_model().network
    transformer.set_params(max_batch_tokens=16, pooling="mean").transform(TEXTS)
    assert transformer._language_model().network is network


def test_close_may_come_at_any_time(activations):
    transformer = activations()
    transformer.close()
    transformer.transform(["a dog"])
    transformer.close()
    transformer.close()
    assert "_loaded" not in vars(transformer)


def test_an_error_in_a_with_block_closes_and_passes(activations):
    with pytest.raises(TypeError, match="Text 0"), activations() as transformer:
        transformer.transform([None])
    assert "_loaded" not in vars(transformer)


def test_copies_hold_no_model(activations):
    transformer = activations(max_norm_ratio=10.0)
    transformer.transform(TEXTS)
    assert transformer.n_dropped_ == 0
    assert set(vars(copy.copy(transformer))) == set(transformer.get_params())
