"""Constructor parameters as data."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from sklearn_aensae.exceptions import LoadError
from sklearn_aensae.io._parameters import from_plain, to_plain


def round_trip(value):
    return from_plain(json.loads(json.dumps(to_plain({"p": value}))))["p"]


@pytest.mark.parametrize("value", [1, 0.5, None, True, "adam", torch.optim.SGD])
def test_values(value):
    assert round_trip(value) is value or round_trip(value) == value


def test_paths_become_strings():
    assert round_trip(Path("a") / "b") == str(Path("a") / "b")


def test_optimizers_with_options():
    again = round_trip(partial(torch.optim.AdamW, betas=[0.5, 0.9], fused=True))
    assert again.func is torch.optim.AdamW
    assert again.keywords == {"betas": [0.5, 0.9], "fused": True}


def test_random_states_go_on_where_they_were():
    state = np.random.RandomState(7)
    state.normal(size=3)
    again = round_trip(state)
    np.testing.assert_array_equal(again.normal(size=5), state.normal(size=5))


def test_callbacks_are_left_out():
    assert to_plain({"callbacks": [print], "k": 1}) == {"k": 1}


@pytest.mark.parametrize(
    "value", [print, lambda p, lr: None, partial(torch.optim.SGD, []), partial(print), dict]
)
def test_code_is_refused_by_name(value):
    with pytest.raises(TypeError, match=r"optimizer=.* cannot be saved.*torch\.optim"):
        to_plain({"optimizer": value})


@pytest.mark.parametrize("name", ["lr_scheduler", "os", "Optimizer2", "system"])
def test_only_optimizers_of_torch_are_looked_up(name):
    with pytest.raises(LoadError, match=r"not a class of torch\.optim"):
        from_plain({"optimizer": {"optimizer": name, "options": {}}})
