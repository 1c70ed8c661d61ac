"""Trees of states come back as they were, through strict JSON."""

import json
import math
from collections import OrderedDict

import numpy as np
import pytest
import torch

from sklearn_aensae.io._encoding import decode, encode, moved


def round_trip(value):
    tensors = {}
    text = json.dumps(encode(value, tensors, ""), allow_nan=False)
    result = decode(json.loads(text), tensors)
    assert not tensors
    return result


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -0.0,
        0.1 + 0.2,
        2**70,
        "ä\n",
        [1, [2.5, None]],
        (1, (2, "x")),
        {"a": {"b": []}, "": 1},
        {0: "int keys", (1, 2): "tuple keys"},
        {"$tensor": "a key that looks like a tag", "$float": {"$items": []}},
        math.inf,
        {"loss": [1.0, -math.inf]},
    ],
)
def test_plain_values(value):
    result = round_trip(value)
    assert result == value
    assert repr(result) == repr(value)


def test_nan():
    assert math.isnan(round_trip([math.nan])[0])


def test_numpy_scalars_become_plain():
    value = round_trip({"a": np.float32(0.1), "b": np.int64(3), "c": np.bool_(True)})
    assert value == {"a": float(np.float32(0.1)), "b": 3, "c": True}
    assert [type(v) for v in value.values()] == [float, int, bool]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.bool])
def test_tensors_move_to_the_table(dtype):
    matrix = torch.arange(6).reshape(2, 3).to(dtype)
    tree = OrderedDict({"state": {0: {"x": matrix.T}}, "list": [torch.tensor(2.0)]})
    tensors = {}
    encode(tree, tensors, "")
    assert set(tensors) == {"state.0.x", "list.0"}
    result = round_trip(tree)
    assert torch.equal(result["state"][0]["x"], matrix.T)
    assert result["state"][0]["x"].dtype == dtype
    assert result["list"][0].shape == ()


@pytest.mark.parametrize("value", [print, object(), {1}, np.zeros(2), b"x"])
def test_what_is_no_data_is_named(value):
    with pytest.raises(TypeError, match=r"^state\.a\.1 is of type \w+"):
        encode({"a": [0, value]}, {}, "state")


def test_names_that_look_alike_are_kept_apart():
    ones, twos = torch.ones(2), torch.full((2,), 2.0)
    for value in ({"a": {"b": ones}, "a.b": twos}, {0: ones, "0": twos}, {"a'": ones, "a": twos}):
        back = round_trip(value)
        assert back.keys() == value.keys()
    assert torch.equal(round_trip({"a": {"b": ones}, "a.b": twos})["a"]["b"], ones)
    assert torch.equal(round_trip({0: ones, "0": twos})["0"], twos)


def test_unknown_tags_and_tensors_are_refused():
    with pytest.raises(ValueError, match=r"\$code"):
        decode({"$code": "print()"}, {})
    with pytest.raises(KeyError):
        decode({"$tensor": "x"}, {})


def test_moved_keeps_the_tree():
    tree = {"a": [torch.zeros(2), 1, (None, torch.ones(()))]}
    result = moved(tree, "meta")
    assert result["a"][0].device.type == result["a"][2][1].device.type == "meta"
    assert result["a"][1:] == [1, (None, result["a"][2][1])]
