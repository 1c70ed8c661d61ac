"""The strength of a penalty at which codes that are solved for meet `target_l0`."""

import math
import warnings
from typing import TYPE_CHECKING, NamedTuple

import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from sklearn_aensae.estimators import _coding
from sklearn_aensae.estimators._fitted import read_module

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

AT_THE_BIAS = 100
"""Rows of which no more is left than so many times their rounding have nothing to code."""


class Trial(NamedTuple):
    """A strength, and what it led to."""

    at: float
    """Its logarithm."""
    ratio: float
    """L0 in units of the target."""

    @property
    def error(self) -> float:
        """Error of the logarithm of L0."""
        return math.log(max(self.ratio, SMALLEST_L0))


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
        while abs(trials[-1].error) > CLOSE and len(trials) < MOST_TRIALS and not _is_stuck(trials):
            _set_strength(estimator, _next(trials))
            trials.append(_try(estimator, rows))
    finally:  # also of an interruption
        # Of equal ones the first: if nothing changes L0, it stays as it was.
        best = min(trials, key=lambda trial: abs(trial.error))
        _set_strength(estimator, best.at)
        estimator.net_.criterion_.control.solved_ratio = best.ratio


def _try(estimator: "ExactCodingSAE", rows: Tensor) -> Trial:
    """Count the codes of rows at the present strength."""
    control, bias = estimator.net_.criterion_.control, read_module(estimator).decoder.bias
    with warnings.catch_warnings():
        # Of strengths that nobody will have.
        warnings.simplefilter("ignore", ConvergenceWarning)
        n_active = sum(
            float(codes.l0()) * codes.n_rows
            for x, codes in _coding.iter_scaled(estimator, rows)
            if not _is_bias(x, bias)
        )
    return Trial(float(control.log_coding), n_active / len(rows) / control.target)


def _is_bias(x: Tensor, bias: Tensor) -> bool:
    """Whether all rows are the decoder's bias, up to rounding: a weak penalty would code that."""
    left, whole = (torch.linalg.vector_norm(part, dim=1) for part in (x - bias, x))
    return bool((left <= AT_THE_BIAS * torch.finfo(x.dtype).eps * whole).all())


def _set_strength(estimator: "ExactCodingSAE", log_coding: float) -> None:
    """Set the strength, and the attribute that says it."""
    estimator.net_.criterion_.control.log_coding.fill_(log_coding)
    estimator._write_strength()


def _is_stuck(trials: list[Trial]) -> bool:
    """Whether the last step, a long one, brought no more codes: there are no more to be had."""
    if len(trials) < 2:
        return False
    before, last = trials[-2:]
    is_long = before.at - last.at > LONGEST / 2
    return _has_codes(last.error) and is_long and last.error - before.error < CLOSE


def _has_codes(error: float) -> bool:
    """Whether there are any codes to speak of."""
    return error > math.log(SMALLEST_L0)


def _next(trials: list[Trial]) -> float:
    """Return the next log strength to try."""
    # Of equal ones the last: where there are no codes at all, it is the farthest on the way.
    nearest, *others = sorted(reversed(trials), key=lambda trial: abs(trial.error))
    at, error, slope = nearest.at, nearest.error, -1.0
    if others:
        slope = min(-LEAST_SLOPE, (error - others[0].error) / (at - others[0].at))
    to_more = error < 0 and _has_codes(error)
    longest = LONGEST if to_more else LONGEST * 2 ** (len(trials) - 1)
    wanted = at - max(-longest, min(longest, error / slope))
    beyond = [trial.at for trial in others if trial.error * error < 0]
    if beyond and not min(at, beyond[0]) < wanted < max(at, beyond[0]):
        return (at + beyond[0]) / 2
    return wanted
