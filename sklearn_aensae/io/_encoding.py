"""Nested states as strict JSON with a flat table of tensors beside it, and back."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

__all__ = ["decode", "encode", "moved"]


def encode(value: Any, tensors: dict[str, Tensor], name: str) -> Any:
    """Return `value` as what strict JSON can hold; its tensors move to the table `tensors`.

    What JSON does not know is an object with one key that begins with "$": a tensor is named, a
    float that is not finite is spelled out, tuples and dicts with other keys than strings are
    lists.

    Raises
    ------
    TypeError
        If `value` holds anything but numbers, strings, None, tensors, lists, tuples and dicts.
    """
    if isinstance(value, Tensor):
        while name in tensors:  # {"a.b": ...} beside {"a": {"b": ...}}, or 0 beside "0"
            name += "'"
        tensors[name] = value.detach().cpu().contiguous()
        return {"$tensor": name}
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(float(value))}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        items = [encode(item, tensors, _join(name, i)) for i, item in enumerate(value)]
        return items if isinstance(value, list) else {"$tuple": items}
    if isinstance(value, Mapping):
        return _encode_mapping(value, tensors, name)
    raise TypeError(f"{name} is of type {type(value).__name__}, which cannot be saved.")


def _encode_mapping(value: Mapping[Any, Any], tensors: dict[str, Tensor], name: str) -> Any:
    """Return a mapping as a JSON object if its keys allow, otherwise as a list of pairs."""
    items = [(key, encode(item, tensors, _join(name, key))) for key, item in value.items()]
    if all(isinstance(key, str) and not key.startswith("$") for key, _ in items):
        return dict(items)
    return {"$items": [[encode(key, tensors, name), item] for key, item in items]}


def _join(name: str, key: Any) -> str:
    """Return the name of an item from that of what holds it."""
    return f"{name}.{key}" if name else str(key)


def decode(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Return what `encode` was given; tensors that are used leave the table.

    Raises
    ------
    KeyError, ValueError
        If a tensor is not in the table, or something was not written by `encode`.
    """
    if isinstance(value, list):
        return [decode(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    tag = next(iter(value), "")
    if tag.startswith("$"):
        return _decode_tagged(tag, value[tag], tensors)
    return {key: decode(item, tensors) for key, item in value.items()}


def _decode_tagged(tag: str, value: Any, tensors: dict[str, Tensor]) -> Any:
    """Return what JSON does not know by itself."""
    if tag == "$tensor":
        return tensors.pop(value)
    if tag == "$float":
        return float(value)
    if tag == "$tuple":
        return tuple(decode(value, tensors))
    if tag == "$items":
        return {decode(key, tensors): decode(item, tensors) for key, item in value}
    raise ValueError(f"unknown tag {tag!r}")


def moved(value: Any, device: str) -> Any:
    """Return a tree with its tensors on a device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: moved(item, device) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(moved(item, device) for item in value)
    return value
