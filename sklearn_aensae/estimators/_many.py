"""Several estimators fitted in one pass over the data."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from sklearn_aensae._devices import resolve_device
from sklearn_aensae._warnings import warn
from sklearn_aensae.estimators._base import BaseSAE
from sklearn_aensae.estimators._build import CALIBRATION_ROWS, begin, draw_sample
from sklearn_aensae.estimators._fitting import (
    calibrate,
    draw_seed,
    needs_calibration,
    opened,
    polish,
    report_failure,
    unchanged_if_refused,
)
from sklearn_aensae.estimators._many_validation import (
    check_sources,
    check_together,
    take_over_inputs,
)
from sklearn_aensae.estimators._plan import plan_length
from sklearn_aensae.exceptions import DivergenceError, TrainingInterruptedWarning
from sklearn_aensae.sources import Source
from sklearn_aensae.training import Lockstep
from sklearn_aensae.training.interrupts import ended_by_ctrl_c

__all__ = ["fit_many"]


def fit_many(estimators: Iterable[BaseSAE], X: Any, y: Any = None) -> list[BaseSAE]:
    """Fit several autoencoders on the same batches, in one pass over the data.

    Every batch is read, shuffled, moved to the device and scaled once, and each estimator takes
    its step on it. Each ends up as its own `fit` with the same `random_state` would have left it,
    bit for bit on a CPU. The steps themselves are taken one after the other and cost what they
    cost alone: what is saved is all around them, which is much where rows are expensive (a stream
    from a language model, a slow disk) and little where they lie in memory. Products of different
    estimators are not joined into one.

    Parameters
    ----------
    estimators : iterable of BaseSAE
        Of one or several classes. They must agree in whatever decides on batches and their order:
        `batch_size`, `max_epochs`, `max_steps`, `shuffle`, `random_state`, `input_scaling`,
        `validation_fraction`, `device`, `dtype` (and `view_sizes`). All else may differ, sizes,
        penalties and learning rates, for example. With `random_state=None`, one seed is drawn
        for all.
    X : array-like or Tensor of shape (n_samples, n_features), or data larger than memory
        Rows, as in `fit`; a stream is read once.
    y : array-like or Tensor of shape (n_samples, n_targets), or data larger than memory, optional
        Targets, if all estimators take them, as :class:`Transcoder` does; otherwise ignored.

    Returns
    -------
    list of BaseSAE
        The estimators, fitted. In `history_`, `rows_per_second` is that of the joint training.

    Raises
    ------
    ValueError, TypeError
        If there are no estimators, they cannot share batches, one has a `checkpoint_dir`, one is
        to go on from an earlier fit (`warm_start`), or two share a callback; and as in `fit`.
    DivergenceError
        If the loss of one is not finite. The others are trained to the end before it is raised;
        that one keeps the weights of its last good log interval.

    Warns
    -----
    TrainingInterruptedWarning
        If Ctrl-C ends training early; all are fitted with what they have learned in as many steps
        (pressed twice, in the midst of a step, some may have taken one more).

    Examples
    --------
    >>> from sklearn.base import clone
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import AdaptiveElasticNetSAE, fit_many
    >>> X = load_digits().data
    >>> sae = AdaptiveElasticNetSAE(64, max_epochs=10, random_state=0)
    >>> grid = [clone(sae).set_params(lambda_1=strength) for strength in (0.003, 0.03)]
    >>> weak, strong = fit_many(grid, X)
    >>> weak.score(X) > strong.score(X)
    True
    """
    saes = check_together(estimators)
    first = saes[0]
    with unchanged_if_refused(*saes):
        device, dtype = resolve_device(first.device), getattr(torch, first.dtype)
        source = first._make_source(X, y, device, dtype, reset=True)
        check_sources(saes, source)
        for sae in saes:
            sae._check_source(source)
        seed = draw_seed(first)
        for sae in saes:
            sae._seed = seed
            take_over_inputs(sae, first)
        source, validation = source.split(first.validation_fraction, seed)
        n_steps, n_epochs = plan_length(first, source)
        sample = draw_sample(first, source)
        for sae in saes:
            begin(sae, source, n_steps=n_steps, sample=sample.clone())
        del sample
    _train(saes, source, validation, n_epochs)
    return saes


def _train(
    saes: Sequence[BaseSAE], source: Source, validation: Source | None, n_epochs: int
) -> None:
    """Run all nets and write down what they have learned, whatever stops them."""
    first = saes[0]
    lockstep, endless = Lockstep([sae.net_ for sae in saes]), source.n_samples is None
    try:
        with ended_by_ctrl_c(lockstep):
            with opened(first, source, validation, repeat=endless) as (batches, held_out):
                lockstep.fit(batches, held_out, n_epochs)
            _calibrate([sae for i, sae in enumerate(saes) if i not in lockstep.errors_], source)
    finally:
        for sae in saes:
            sae._write_fitted()
    for i, sae in enumerate(saes):
        if i not in lockstep.errors_ and not lockstep.interrupted_:
            polish(sae, source)
            lockstep.interrupted_ = sae.net_.interrupted_
    _report(lockstep, saes)


def _calibrate(saes: Sequence[BaseSAE], source: Source) -> None:
    """Set thresholds by the same rows, drawn if there is anyone to use them."""
    calibrated = [sae for sae in saes if needs_calibration(sae, source)]
    if calibrated:
        sample = source.sample(CALIBRATION_ROWS, calibrated[0]._seed)
        for sae in calibrated:
            calibrate(sae, source, sample.clone())


def _report(lockstep: Lockstep, saes: Sequence[BaseSAE]) -> None:
    """Say what has stopped training before its end."""
    if lockstep.interrupted_:
        n_steps = max(sae.n_steps_ for sae in saes)
        warn(
            f"Training was interrupted after {n_steps} steps; the {len(saes)} estimators hold what "
            "they have learned so far.",
            TrainingInterruptedWarning,
        )
    for i, sae in enumerate(saes):
        if i not in lockstep.errors_ and not lockstep.interrupted_:
            report_failure(sae, f"estimators[{i}] of {len(saes)}: ")
    for i, error in sorted(lockstep.errors_.items()):
        raise DivergenceError(f"estimators[{i}] of {len(saes)}: {error}") from error
