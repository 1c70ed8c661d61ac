"""The strength of a penalty at which codes that are solved for meet `target_l0`."""

import math
import warnings
from typing import TYPE_CHECKING

from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from sklearn_aensae.estimators import _coding

if TYPE_CHECKING:
    from sklearn_aensae.estimators._exact import ExactCodingSAE

__all__ = ["MATCHED_ROWS", "match_l0"]

MATCHED_ROWS = 4_096
"""Most training rows that are counted: their mean is known to a hundredth."""

FEW_ROWS = 256
"""Rows, up to twice as many, that are counted first: from a strength far too small, solving for
dense codes takes long, while the mean of few rows is known to some hundredths."""

CLOSE = math.log(1.01)
"""Error of the logarithm of L0 that is no longer mended."""

MOST_TRIALS = 12

LONGEST = 1.0
"""Most by which the logarithm of the strength moves at first; to where there are more codes, as
each costs time, always. Otherwise twice as much at each trial."""

LEAST_SLOPE = 0.25
"""Least fall of log L0 per rise of log strength that a step counts on."""

SMALLEST_L0 = 0.01
"""Share of the target below which L0 counts as that: its logarithm has no lower bound."""

Trial = tuple[float, float]
"""Log strength, and the error of log L0 that it led to."""


def match_l0(estimator: "ExactCodingSAE", rows: Tensor) -> None:
    """Move the strength by which codes are solved for until they are as many as asked for.

    In logarithms, L0 falls almost on a line: the first step supposes a slope of -1, each further
    one goes where the line through the two trials nearest to the target says, or half-way between
    trials on both sides of it. A part of the rows comes first, then all, from where that led to.
    Training, should it go on, keeps its own strength.

    Parameters
    ----------
    estimator : ExactCodingSAE
        With a `target_l0`; its `transform` says what codes are.
    rows : Tensor of shape (n_rows, n_features)
        In the units of the input.
    """
    if len(rows) >= 2 * FEW_ROWS:
        _match(estimator, rows[:: len(rows) // FEW_ROWS])
    _match(estimator, rows)


def _match(estimator: "ExactCodingSAE", rows: Tensor) -> None:
    """Try strengths on rows, and leave the best one."""
    trials = [_try(estimator, rows)]
    try:
        while abs(trials[-1][1]) > CLOSE and len(trials) < MOST_TRIALS and not _is_stuck(trials):
            _set_strength(estimator, _next(trials))
            trials.append(_try(estimator, rows))
    finally:  # also of an interruption
        best, error = min(reversed(trials), key=lambda trial: abs(trial[1]))
        _set_strength(estimator, best)
        estimator.net_.criterion_.control.solved_ratio = math.exp(error)


def _try(estimator: "ExactCodingSAE", rows: Tensor) -> Trial:
    """Count the codes of rows at the present strength."""
    control = estimator.net_.criterion_.control
    with warnings.catch_warnings():
        # Of strengths that nobody will have.
        warnings.simplefilter("ignore", ConvergenceWarning)
        blocks = (codes for _, codes in _coding.iter_scaled(estimator, rows))
        n_active = sum(float(codes.l0()) * codes.n_rows for codes in blocks)
    ratio = n_active / len(rows) / control.target
    return float(control.log_coding), math.log(max(ratio, SMALLEST_L0))


def _set_strength(estimator: "ExactCodingSAE", log_coding: float) -> None:
    """Set the strength, and the attribute that says it."""
    estimator.net_.criterion_.control.log_coding.fill_(log_coding)
    estimator._write_strength()


def _is_stuck(trials: list[Trial]) -> bool:
    """Whether the last step, a long one, brought no more codes: there are no more to be had."""
    if len(trials) < 2:
        return False
    (before, its_error), (at, error) = trials[-2:]
    return _has_codes(error) and before - at > LONGEST / 2 and error - its_error < CLOSE


def _has_codes(error: float) -> bool:
    """Whether there are any codes to speak of."""
    return error > math.log(SMALLEST_L0)


def _next(trials: list[Trial]) -> float:
    """Return the next log strength to try."""
    # Of equal ones the last: where there are no codes at all, it is the farthest on the way.
    (at, error), *others = sorted(reversed(trials), key=lambda trial: abs(trial[1]))
    slope = -1.0
    if others:
        there, its_error = others[0]
        slope = min(-LEAST_SLOPE, (error - its_error) / (at - there))
    to_more = error < 0 and _has_codes(error)
    longest = LONGEST if to_more else LONGEST * 2 ** (len(trials) - 1)
    wanted = at - max(-longest, min(longest, error / slope))
    beyond = [there for there, its_error in others if its_error * error < 0]
    if beyond and not min(at, beyond[0]) < wanted < max(at, beyond[0]):
        return (at + beyond[0]) / 2
    return wanted
