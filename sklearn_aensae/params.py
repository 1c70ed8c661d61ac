"""Domains of parameters, declared in annotations, checked in `fit`, with one form of message."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, get_type_hints

import numpy as np

from sklearn_aensae._devices import is_device
from sklearn_aensae.exceptions import InvalidParameterError

__all__ = [
    "DEVICE",
    "AtLeast",
    "Boolean",
    "Domain",
    "InRange",
    "Length",
    "OneOf",
    "Size",
    "Where",
    "check_param",
    "is_integer",
    "validate_params",
]


class Domain(ABC):
    """Set of allowed values."""

    @abstractmethod
    def accepts(self, value: Any) -> bool:
        """Whether `value` is in the domain."""

    @abstractmethod
    def describe(self) -> str:
        """Return the domain in words, to follow "must be"."""

    def __repr__(self) -> str:
        """Show the domain in words where `help` shows a signature."""
        return self.describe()


def is_integer(value: Any) -> bool:
    """Whether `value` is an integer, of Python or NumPy, and no bool."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


@dataclass(frozen=True, repr=False)
class AtLeast(Domain):
    """Integers, or with `real` all finite numbers, from `low` up."""

    low: float
    real: bool = False
    optional: bool = False

    def accepts(self, value: Any) -> bool:
        """Whether `value` is in the domain."""
        if value is None:
            return self.optional
        kind = _is_real if self.real else is_integer
        return kind(value) and self.low <= value < float("inf")

    def describe(self) -> str:
        """Return the domain in words, to follow "must be"."""
        kind = "a number" if self.real else "an integer"
        return f"{kind} >= {self.low}" + (" or None" if self.optional else "")


@dataclass(frozen=True, repr=False)
class InRange(Domain):
    """Numbers between two bounds; `open_low` and `open_high` leave the bound itself out."""

    low: float
    high: float
    open_low: bool = False
    open_high: bool = False
    optional: bool = False

    def accepts(self, value: Any) -> bool:
        """Whether `value` is in the domain."""
        if value is None:
            return self.optional
        if not _is_real(value) or not self.low <= value <= self.high:
            return False
        at_open_low = self.open_low and value == self.low
        return not (at_open_low or (self.open_high and value == self.high))

    def describe(self) -> str:
        """Return the domain in words, to follow "must be"."""
        left = "(" if self.open_low else "["
        right = ")" if self.open_high else "]"
        words = f"a number in {left}{self.low}, {self.high}{right}"
        return words + (" or None" if self.optional else "")


@dataclass(frozen=True, repr=False)
class Length(Domain):
    """Length of a phase: an int counts steps, a float is a share of training."""

    low: int = 0
    optional: bool = False

    def accepts(self, value: Any) -> bool:
        """Whether `value` is in the domain."""
        if value is None:
            return self.optional
        if is_integer(value):
            return bool(value >= self.low)
        return _is_real(value) and (0 < value <= 1 if self.low else 0 <= value <= 1)

    def describe(self) -> str:
        """Return the domain in words, to follow "must be"."""
        left = "(" if self.low else "["
        shares = f"a share of training (a float in {left}0.0, 1.0])"
        words = f"a number of steps (an int >= {self.low}) or {shares}"
        return words + (" or None" if self.optional else "")


@dataclass(frozen=True, repr=False)
class Size(Domain):
    """Size of something: an int is absolute, a float a factor."""

    def accepts(self, value: Any) -> bool:
        """Whether `value` is in the domain."""
        return value >= 1 if is_integer(value) else _is_real(value) and 0 < value < float("inf")

    def describe(self) -> str:
        """Return the domain in words, to follow "must be"."""
        return "an int >= 1 or a factor (a float > 0)"


@dataclass(frozen=True, init=False, repr=False)
class OneOf(Domain):
    """A few named options."""

    options: tuple[Any, ...]

    def __init__(self, *options: Any) -> None:
        object.__setattr__(self, "options", options)

    def accepts(self, value: Any) -> bool:
        """Whether `value` is in the domain."""
        value = value.item() if isinstance(value, np.generic) else value
        # Not by ==, for which 1 is True.
        return any(type(value) is type(option) and value == option for option in self.options)

    def describe(self) -> str:
        """Return the domain in words, to follow "must be"."""
        return "one of " + ", ".join(repr(option) for option in self.options)


class Boolean(Domain):
    """True or False."""

    def accepts(self, value: Any) -> bool:
        """Whether `value` is in the domain."""
        return isinstance(value, bool | np.bool_)

    def describe(self) -> str:
        """Return the domain in words, to follow "must be"."""
        return "True or False"


@dataclass(frozen=True, repr=False)
class Where(Domain):
    """Whatever a predicate accepts."""

    text: str
    predicate: Callable[[Any], bool]

    def accepts(self, value: Any) -> bool:
        """Whether `value` is in the domain."""
        return self.predicate(value)

    def describe(self) -> str:
        """Return the domain in words, to follow "must be"."""
        return self.text


DEVICE = Where("'auto', the name of a torch device, or a torch.device", is_device)


def check_param(value: Any, name: str, domain: Domain, owner: str = "") -> None:
    """Refuse a value outside its domain; `owner` says whose parameter it is.

    Raises
    ------
    InvalidParameterError
        A `ValueError` and `TypeError` that names the parameter, what it may be, and what
        it was.
    """
    if not domain.accepts(value):
        raise InvalidParameterError(
            f"{owner and owner + ': '}{name} must be {domain.describe()}; "
            f"got {value!r} of type {type(value).__name__}."
        )


def validate_params(estimator: Any) -> None:
    """Check every annotated parameter of an estimator.

    Raises
    ------
    InvalidParameterError
        As in `check_param`.
    """
    for name, hint in get_type_hints(type(estimator), include_extras=True).items():
        for domain in getattr(hint, "__metadata__", ()):
            if isinstance(domain, Domain):
                check_param(getattr(estimator, name), name, domain, type(estimator).__name__)
