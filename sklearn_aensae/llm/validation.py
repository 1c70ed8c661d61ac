"""What LLMActivationTransformer accepts: parameters that agree, and texts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set, Sized
from math import inf
from typing import Any

from torch import nn

from sklearn_aensae.exceptions import InvalidParameterError
from sklearn_aensae.params import InRange, OneOf, Where, is_integer, validate_params

MODEL = Where(
    "a hub name, the path of a folder or a transformers model",
    lambda value: (
        (isinstance(value, nn.Module) and hasattr(value, "config"))
        or (isinstance(value, str | os.PathLike) and os.fspath(value) != "")
    ),
)
LAYER = Where(
    "the index of a block, an integer, negative from the last, or a list of such, each once",
    lambda value: (
        is_integer(value)
        or (isinstance(value, list | tuple | range) and _are_distinct_indices(value))
    ),
)
OPTIONAL_NAME = Where(
    "None or a string that is not empty",
    lambda value: value is None or (isinstance(value, str) and value != ""),
)
RATIO = InRange(1, inf, open_low=True, open_high=True, optional=True)
DTYPE = OneOf(None, "float32", "float16", "bfloat16")


def _are_distinct_indices(values: Sequence[Any]) -> bool:
    """Whether `values` are integers, at least one, and each there once."""
    return all(map(is_integer, values)) and 0 < len(values) == len(set(values))


def check_params(options: Any) -> None:
    """Raise for the first parameter that is not allowed, alone or beside another."""
    validate_params(options)
    if options.packing and options.pooling != "tokens":
        raise InvalidParameterError(
            "packing=True mixes texts in a window: it needs pooling='tokens', got "
            f"pooling={options.pooling!r}."
        )
    if options.packing and options.long_texts != "error":
        raise InvalidParameterError(
            "packing=True cuts every text where a window ends: leave long_texts at 'error', got "
            f"{options.long_texts!r}."
        )
    if options.stride is not None and options.long_texts != "split":
        raise InvalidParameterError(
            f"stride={options.stride} is for long_texts='split', got {options.long_texts!r}."
        )
    if isinstance(options.model, nn.Module) and (options.dtype, options.device) != (None, "auto"):
        raise InvalidParameterError(
            "dtype and device are for a model that is loaded by name; a loaded one is used as it "
            f"is: leave them at None and 'auto', got {options.dtype!r} and {options.device!r}."
        )


def check_texts(texts: Any) -> list[str]:
    """Return a list, array or Series of strings as a list."""
    _refuse_shape(texts)
    if not isinstance(texts, Sized):
        raise TypeError(
            f"A collection of texts is expected, got {type(texts).__name__}: "
            "iter_transform takes a stream."
        )
    checked = list(each_text(texts))
    if not checked:
        raise ValueError("There are no texts: 0 samples were given, and at least 1 is needed.")
    return checked


def each_text(texts: Any) -> Iterator[str]:
    """Yield the texts of any iterable; raise at the first item that is not a text."""
    _refuse_shape(texts)
    return _each_text(texts)


def _refuse_shape(texts: Any) -> None:
    """Refuse one lone text, tables, and what has no order or more than texts."""
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise TypeError(
            f"A list, array or Series of texts is expected, got {type(texts).__name__}; "
            "put a single text in a list."
        )
    if isinstance(texts, Mapping | Set):
        raise TypeError(
            f"A list, array or Series of texts is expected, got {type(texts).__name__}; put what "
            "is meant, and in which order, in a list."
        )
    # Polars series have a shape but no ndim.
    shape = getattr(texts, "shape", (0,))
    if len(shape) != 1:
        raise ValueError(
            f"Texts are 1-D, got shape {tuple(shape)}: pass one column, such as X['text']."
        )


def _each_text(texts: Iterable[Any]) -> Iterator[str]:
    """Yield the texts, naming the index of the first item that is none."""
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"Text {index} is not a string but {type(text).__name__}: {text!r}.")
        if not text:
            raise ValueError(f"Text {index} is empty.")
        yield str(text)
