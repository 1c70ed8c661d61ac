"""Errors and warnings of the library."""

__all__ = [
    "CheckpointWarning",
    "DivergenceError",
    "InvalidParameterError",
    "LoadError",
    "TrainingInterruptedWarning",
]


class InvalidParameterError(ValueError, TypeError):
    """A constructor parameter is of the wrong type or outside its domain."""


class DivergenceError(ArithmeticError):
    """The loss became NaN or infinite; the estimator holds the last good weights."""


class TrainingInterruptedWarning(UserWarning):
    """Training was stopped from the keyboard; the estimator is fitted with what it had."""


class LoadError(ValueError):
    """A saved estimator or a checkpoint is damaged, foreign or from a newer version."""


class CheckpointWarning(UserWarning):
    """A checkpoint could not be used, and an earlier one took its place."""
