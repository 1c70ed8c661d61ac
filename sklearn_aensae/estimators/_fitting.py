"""Training as `fit` and `partial_fit` run it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from torch import Tensor

from sklearn_aensae._devices import resolve_device
from sklearn_aensae._warnings import warn
from sklearn_aensae.estimators import _files
from sklearn_aensae.estimators._build import CALIBRATION_ROWS, begin, refuse_held_out
from sklearn_aensae.estimators._plan import plan_length
from sklearn_aensae.exceptions import TrainingInterruptedWarning
from sklearn_aensae.io._checkpoints import Checkpoints
from sklearn_aensae.kernels import Workspace, matmul_precision
from sklearn_aensae.params import validate_params
from sklearn_aensae.sources import Source
from sklearn_aensae.training import Batches
from sklearn_aensae.training.checkpoint import attached
from sklearn_aensae.training.interrupts import ended_by_ctrl_c

if TYPE_CHECKING:
    from sklearn_aensae.estimators._base import BaseSAE

__all__ = [
    "calibrate",
    "draw_seed",
    "fit",
    "needs_calibration",
    "opened",
    "partial_fit",
    "polish",
    "report_failure",
    "report_target",
    "unchanged_if_refused",
]

LEAST_VARIANCE = -10.0
"""Explained variance below which a training counts as failed, and not only as too short."""

LEAST_L0 = 0.1
"""Active components per row below which next to nothing is left of codes."""

FAR_FROM_ZERO = 1e-2
"""Share of the variance in the mean square below which the mean is what makes training hard."""

STRENGTHS = ("lambda_0", "lambda_1", "lambda_2")
"""Parameters that can silence components."""

MISSED = 1.25
"""Factor by which L0 may miss its target as training ends."""


def fit(estimator: "BaseSAE", X: Any, y: Any) -> None:
    """Train from the start, or from a checkpoint, to the end."""
    validate_params(estimator)
    estimator._check_parameters()
    with unchanged_if_refused(estimator):
        device, dtype = resolve_device(estimator.device), getattr(torch, estimator.dtype)
        source = estimator._make_source(X, y, device, dtype, reset=True)
        estimator._check_source(source)
        estimator._seed = draw_seed(estimator)
        saved = _files.open_checkpoints(estimator, source)
        source, validation = source.split(estimator.validation_fraction, estimator._seed)
        n_steps, n_epochs = plan_length(estimator, source)
        if saved is None or not saved.restore(source.device):
            begin(estimator, source, n_steps=n_steps)
        elif saved.finished:
            return
    n_epochs -= len(estimator.net_.history)
    try:
        with ended_by_ctrl_c(estimator.net_):
            _train(estimator, source, validation, n_epochs, saved, repeat=source.n_samples is None)
            calibrate(estimator, source)
    finally:
        # Not after `partial_fit`: its next call would pay for the memory again.
        estimator.net_.release()
        estimator._write_fitted()
    if not estimator.net_.interrupted_:
        polish(estimator, source)
    if saved is not None and not estimator.net_.interrupted_:
        saved.write(estimator.net_, finished=True)
    _report_interruption(estimator)
    report_failure(estimator)


def partial_fit(estimator: "BaseSAE", X: Any, y: Any) -> None:
    """Train for one pass over some rows."""
    validate_params(estimator)
    estimator._check_parameters()
    _files.refuse_checkpoints(estimator)
    is_new = not hasattr(estimator, "net_")
    # Callbacks are those that training began with.
    callbacks = estimator.callbacks if is_new else [one for _, one in estimator.net_.callbacks_]
    refuse_held_out(callbacks, "partial_fit holds out no rows to compute it; use fit")
    if is_new:
        with unchanged_if_refused(estimator):
            device, dtype = resolve_device(estimator.device), getattr(torch, estimator.dtype)
            source = estimator._make_source(X, y, device, dtype, reset=True)
            estimator._seed = draw_seed(estimator)
            begin(estimator, source, n_steps=estimator.max_steps, in_parts=True)
    else:
        dtype = estimator.net_.module_.decoder.bias.dtype
        source = estimator._make_source(X, y, estimator.net_.device, dtype, reset=False)
    steps_left = _steps_left(estimator)
    if steps_left is not None and steps_left <= 0:
        warn(
            f"partial_fit learns nothing more: all max_steps={estimator.max_steps} steps have "
            "been taken, those of fit included. Set max_steps to more, or to None.",
        )
        return
    try:
        with ended_by_ctrl_c(estimator.net_):
            _train(estimator, source, None, n_epochs=1)
    finally:
        estimator._write_fitted()
    _report_interruption(estimator)


@contextmanager
def unchanged_if_refused(*estimators: BaseEstimator) -> Iterator[None]:
    """Leave estimators as they were if what prepares training fails: an earlier fit stays whole.

    To replace attributes is undone, to change what they hold is not.
    """
    before = [estimator.__dict__.copy() for estimator in estimators]
    try:
        yield
    except BaseException:
        for estimator, attributes in zip(estimators, before, strict=True):
            estimator.__dict__ = attributes
        raise


def draw_seed(estimator: "BaseSAE") -> int:
    """Seed of everything that is drawn in one fit."""
    return int(check_random_state(estimator.random_state).randint(2**31 - 1))


def _steps_left(estimator: "BaseSAE") -> int | None:
    """Count the steps that may still be taken; None if that is open."""
    return None if estimator.max_steps is None else estimator.max_steps - estimator.net_.n_steps_


def _train(
    estimator: "BaseSAE",
    source: Source,
    validation: Source | None,
    n_epochs: int,
    saved: Checkpoints | None = None,
    *,
    repeat: bool = False,
) -> None:
    """Run the net from where it is."""
    net = estimator.net_
    with (
        opened(estimator, source, validation, repeat=repeat) as (batches, held_out),
        attached(net, saved and saved.callback()),
    ):
        net.partial_fit(batches, held_out, epochs=n_epochs)


@contextmanager
def opened(
    estimator: "BaseSAE", source: Source, validation: Source | None, *, repeat: bool
) -> Iterator[tuple[Batches, Batches | None]]:
    """Open the batches that follow those the estimator's net has seen, and held-out ones."""
    net, scaling = estimator.net_, estimator._scaling
    batch_size = int(estimator.batch_size)  # torch knows no integers of NumPy
    batches = Batches(
        source,
        scaling,
        batch_size,
        seed=estimator._seed if estimator.shuffle else None,
        first_epoch=len(net.history),
        skip=net.running_["n_batches"],
        n_steps=_steps_left(estimator),
        repeat=repeat,
    )
    held_out = None
    if validation is not None:
        held_out = Batches(validation, scaling, batch_size)
    try:
        yield batches, held_out
    finally:
        batches.close()
        if held_out is not None:
            held_out.close()


def needs_calibration(estimator: "BaseSAE", source: Source) -> bool:
    """Whether thresholds are to be set after training.

    A stream that has ended gives no rows: the running thresholds of its batches then stay.
    """
    return estimator.net_.module_.activation.is_calibrated and source.n_samples is not None


def calibrate(estimator: "BaseSAE", source: Source, sample: Tensor | None = None) -> None:
    """Set the thresholds of a batch-wise activation, if it has any, by rows it was trained on.

    The rows are drawn, unless they are given in memory that may be changed. Ctrl-C leaves the
    running thresholds of the batches.
    """
    if not needs_calibration(estimator, source):
        return
    sample = source.sample(CALIBRATION_ROWS, estimator._seed) if sample is None else sample
    with Workspace().step(), matmul_precision(estimator.matmul_precision):
        x = estimator._scaling.prepare_(sample, source.n_targets)[0]
        estimator.net_.module_.calibrate(x)


def polish(estimator: "BaseSAE", source: Source) -> None:
    """Improve what training has led to; Ctrl-C leaves what has been improved by then."""
    with ended_by_ctrl_c(estimator.net_):
        estimator._polish(source)


def _report_interruption(estimator: "BaseSAE") -> None:
    """Warn the caller of the estimator's method if it was stopped early."""
    if estimator.net_.interrupted_:
        refits = getattr(estimator, "decoder_refits", 0)
        rest = f" What follows training (decoder_refits={refits}) was left out or cut short."
        warn(
            f"Training was interrupted after {estimator.n_steps_} steps; the estimator holds what "
            f"it has learned so far.{rest if refits else ''}",
            TrainingInterruptedWarning,
        )


def _likely_cause(estimator: "BaseSAE") -> str:
    """Return why reconstructions are worse than the mean."""
    # Of rows that are scaled, but not centred, the mean square is about 1.
    variance = estimator._plan.variance
    if estimator._scaling.mode in {"mean_norm", "sample_norm"} and variance < FAR_FROM_ZERO:
        whiten = ", or set input_scaling='whiten'" if estimator._may_whiten else ""
        return (
            "the data lie too far from 0: their mean is as large as "
            f"{variance**-0.5:.3g} standard deviations. Subtract it, with StandardScaler for "
            f"example{whiten}."
        )
    return f"learning_rate={estimator.learning_rate} is too large."


def report_failure(estimator: "BaseSAE", name: str = "") -> None:
    """Warn if a whole training has led nowhere, or not to the number of codes it aimed at."""
    if estimator.net_.interrupted_ or not estimator.n_steps_:
        return
    variance = estimator.history_["explained_variance"][-1]
    if variance < LEAST_VARIANCE:
        warn(
            f"{name}The reconstructions are worse than the mean of X: explained variance is "
            f"{variance:.3g} after {estimator.n_steps_} steps. Most likely "
            f"{_likely_cause(estimator)}",
        )
    if estimator.history_["l0"][-1] < LEAST_L0:
        strengths = ((one, getattr(estimator, one, None)) for one in STRENGTHS)
        given = " and ".join(f"{one}={value}" for one, value in strengths if value is not None)
        warn(
            f"{name}Hardly any component is active: {estimator.history_['l0'][-1]:.2g} per row as "
            f"training ended{given and ' with '}{given}. Most likely penalties are too strong, or "
            "the rows of X are all alike.",
        )
    report_target(estimator, name)


def report_target(estimator: "BaseSAE", name: str = "") -> None:
    """Warn if codes are far more or fewer than `target_l0`."""
    target = estimator._trained_with.get("target_l0")
    if target is None:
        return
    control = estimator.net_.criterion_.control
    solved = None if control is None else control.solved_ratio
    found = estimator.history_["l0"][-1] if solved is None else solved * target
    ratios = [found / target]
    if control is not None:
        # The log's figure may be the mean of a long interval, and the controller's own be that of
        # a batch of few rows, and not less than a tenth: one of them has to be near.
        ratios.append(control.ratio())
    if any(1 / MISSED < ratio < MISSED for ratio in ratios):
        return
    missed = f"{name}target_l0={target} was missed: {found:.3g}"
    if control is None:
        hint = "Train longer."
    elif solved is None:
        on_the_way = estimator.history_["lambda_1"]
        hint = (
            "Train longer or with a smaller learning_rate, for lambda_1 to settle: it began at "
            f"{estimator.lambda_1}, was between {min(on_the_way):.3g} and {max(on_the_way):.3g} "
            f"on the way, and ended at {estimator.lambda_1_:.3g}."
        )
    else:
        warn(
            f"{missed} codes are active per row with lambda_1_={estimator.lambda_1_:.3g}, and no "
            "other strength that was tried came nearer.",
        )
        return
    n_steps, planned = estimator.n_steps_, estimator._plan.n_steps
    early = f" of {planned}: a callback stopped it" if planned and n_steps < planned else ""
    warn(
        f"{missed} components were active per row as training ended, after {n_steps} "
        f"steps{early}. {hint}",
    )
