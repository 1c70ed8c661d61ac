"""From an estimator's parameters to a net that is ready to train: the one place of assembly."""

from collections.abc import Iterable
from functools import partial
from numbers import Integral
from typing import TYPE_CHECKING, Any

import torch
from skorch.callbacks import Callback, LRScheduler
from torch import Tensor

from sklearn_aensae.estimators._plan import OPEN_END, Plan, count_components
from sklearn_aensae.modules import Autoencoder
from sklearn_aensae.modules.firing_tracker import FiringTracker
from sklearn_aensae.modules.initialization import initialize_
from sklearn_aensae.objective import Objective, Term
from sklearn_aensae.sources import InputScaling, Source
from sklearn_aensae.training import LearningRateSchedule, Monitor, SAENet
from sklearn_aensae.training.monitor import LOGGED

if TYPE_CHECKING:
    from sklearn_aensae.estimators._base import BaseSAE

__all__ = [
    "CALIBRATION_ROWS",
    "OPTIMIZERS",
    "assemble",
    "begin",
    "draw_sample",
    "make_module",
    "refuse_held_out",
]

OPTIMIZERS: dict[str, Any] = {
    "adam": partial(torch.optim.Adam, fused=True),
    "adamw": partial(torch.optim.AdamW, fused=True),
    "sgd": torch.optim.SGD,
}

CALIBRATION_ROWS = 32_768
"""Rows from which scaling and initial bias are estimated, as in Gao et al. (2024)."""

DENSITY_SHARE = 0.05
"""Share of training over which densities are counted: codes get sparser until the end."""

LONGEST_WINDOW = 0.25
"""Most of training that epochs of silence may come to: in a single pass, one would be all of it."""


def draw_sample(estimator: "BaseSAE", source: Source) -> Tensor:
    """Rows from which scaling and initial weights are estimated, each with its target."""
    return source.sample(CALIBRATION_ROWS, estimator._seed if estimator.shuffle else None).cpu()


def begin(
    estimator: "BaseSAE",
    source: Source,
    *,
    n_steps: int | None,
    sample: Tensor | None = None,
    in_parts: bool = False,
) -> None:
    """Give the estimator a scaling and a new net, from its parameters and data.

    Parameters
    ----------
    estimator : BaseSAE
        With valid parameters.
    source : Source
        Training rows.
    n_steps : int or None
        Planned optimiser steps.
    sample : Tensor of shape (n_rows, n_features + n_targets) or None
        What `draw_sample` returned, in memory that may be changed; None draws it.
    in_parts : bool, default=False
        Whether `source` is the first of several parts, which together are like a stream.
    """
    resume = estimator.warm_start and hasattr(estimator, "net_")
    _check_callbacks(estimator)
    _check_scaling(estimator, resume)
    if resume:
        _check_columns(estimator, source)
    previous = estimator.net_.module_ if resume else None
    sample = draw_sample(estimator, source) if sample is None else sample
    if previous is None:
        views = estimator._view_sizes(source.n_features)
        estimator._scaling = InputScaling.fit(
            estimator.input_scaling, sample, source.n_targets, views
        )
    sample, wanted = estimator._scaling.prepare_(sample, source.n_targets)
    plan = Plan(
        n_features=source.n_features,
        n_components=count_components(estimator, source.n_features),
        n_samples=source.n_samples or min(n_steps or OPEN_END, OPEN_END) * estimator.batch_size,
        n_steps=n_steps,
        variance=_variance(wanted),
        n_targets=source.n_targets,
    )
    estimator._check_plan(plan)
    module = make_module(estimator, plan)
    _set_windows(module.tracker, estimator, plan, in_parts)
    generator = torch.Generator().manual_seed(estimator._seed)
    initialize_(module, estimator.init, sample, generator, wanted, source.device)
    if previous is not None:
        _take_over_weights(module, previous)
    estimator.history_ = {}
    estimator.net_ = assemble(estimator, plan, module, source.device)
    # With these two, the net can be put together again: they are saved with it.
    estimator._plan = plan
    estimator._trained_with = estimator.get_params(deep=False)


def assemble(estimator: "BaseSAE", plan: Plan, module: Autoencoder, device: str) -> SAENet:
    """Return the net that trains `module` and logs to the estimator's `history_`."""
    penalties = estimator._make_terms(plan)
    if taken := sorted(penalties.keys() & {"reconstruction", *LOGGED}):
        raise ValueError(
            f"{type(estimator).__name__}._make_terms names a term {taken[0]!r}, which is a column "
            "of history_ already; choose another name."
        )
    terms = {"reconstruction": estimator._make_reconstruction(plan), **penalties}
    callbacks = estimator._make_callbacks(plan)
    for reviver, part in estimator._make_dead_features(plan).items():
        if isinstance(part, Term):
            terms[reviver] = part
        else:
            callbacks.append((reviver, part))
    name = estimator.optimizer
    net = SAENet(
        module,
        criterion=Objective(terms, estimator._make_control(plan)).to(module.decoder.bias.dtype),
        optimizer=OPTIMIZERS[name] if isinstance(name, str) else name,
        lr=estimator.learning_rate,
        callbacks=_all_callbacks(estimator, plan, callbacks),
        train_split=None,
        device=device,
        matmul_precision=estimator.matmul_precision,
        verbose=0,
    )
    return net.initialize()


def _check_callbacks(estimator: "BaseSAE") -> None:
    """Refuse callbacks that cannot work with the other parameters."""
    scheduled = any(isinstance(callback, LRScheduler) for callback in estimator.callbacks)
    if scheduled and (estimator.lr_warmup or estimator.lr_decay):
        raise ValueError(
            "callbacks holds an LRScheduler, but the learning rate already follows "
            f"lr_warmup={estimator.lr_warmup} and lr_decay={estimator.lr_decay}; set both to 0 to "
            "use the callback."
        )
    if not estimator.validation_fraction:
        refuse_held_out(
            estimator.callbacks,
            "validation_fraction=0.0 holds out no rows to compute it; set validation_fraction",
        )


def refuse_held_out(callbacks: Iterable[Any], why: str) -> None:
    """Refuse callbacks that look at rows held out, as there are none; `why`, and what would help.

    Raises
    ------
    ValueError
        If there are such.
    """
    for callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        if str(monitor).startswith("valid"):
            raise ValueError(
                f"{type(callback).__name__} in callbacks monitors {monitor!r}, but {why}, or "
                "monitor 'train_loss'."
            )


def _check_scaling(estimator: "BaseSAE", resume: bool) -> None:
    """Refuse whitening where results would not be those of atoms of unit norm, and a change."""
    if resume and estimator.input_scaling != estimator._scaling.mode:
        raise ValueError(
            "warm_start=True keeps the scaling of the last fit: input_scaling was "
            f"{estimator._scaling.mode!r} and would now be {estimator.input_scaling!r}; "
            "set warm_start=False to change it."
        )
    if estimator.input_scaling == "whiten" and not estimator._may_whiten:
        raise ValueError(
            f"{type(estimator).__name__}: input_scaling='whiten' needs a linear decoder of free "
            "unit atoms that reconstructs the input in one piece; use None, 'mean_norm' or "
            "'sample_norm'."
        )


def _check_columns(estimator: "BaseSAE", source: Source) -> None:
    """Refuse columns that the scaling of the last fit does not fit."""
    for name in ("n_features", "n_targets"):
        before, now = getattr(estimator._plan, name), getattr(source, name)
        if before != now:
            raise ValueError(
                f"warm_start=True needs the shapes of the last fit: {name} was {before} and would "
                f"now be {now}."
            )


def make_module(estimator: "BaseSAE", plan: Plan) -> Autoencoder:
    """Return the autoencoder on the CPU, with weights and windows yet to be filled in.

    Raises
    ------
    MemoryError
        If there is not enough for the weights.
    """
    try:
        return Autoencoder(
            estimator._make_encoder(plan),
            estimator._make_activation(plan),
            estimator._make_decoder(plan),
            estimator._make_skip(plan),
        ).to(getattr(torch, estimator.dtype))
    except RuntimeError as error:  # torch's own for memory, on the CPU
        if "alloc" not in str(error):
            raise
        raise MemoryError(
            f"n_components={estimator.n_components} is {plan.n_components} components for "
            f"{plan.n_features} features: this machine has not enough memory for their weights."
        ) from error


def _set_windows(tracker: FiringTracker, estimator: "BaseSAE", plan: Plan, in_parts: bool) -> None:
    """Say over how many rows a component must be silent to be dead, and densities are counted.

    The first part says nothing about the length of an epoch: it is taken to be that of a stream.
    """
    batch_size = min(estimator.batch_size, plan.n_samples)
    window = estimator.dead_window
    if not isinstance(window, Integral):
        steps = min(plan.n_steps or OPEN_END, OPEN_END)
        window *= steps * batch_size if in_parts else plan.n_samples
        if plan.n_steps is not None:
            window = min(window, LONGEST_WINDOW * plan.n_steps * batch_size)
    tracker.window = max(1, round(window))
    tracker.density_window = plan.steps(DENSITY_SHARE) * batch_size


def _variance(rows: Tensor) -> float:
    """Mean squared deviation from the mean; 1 for rows that are all alike but for rounding."""
    deviations = rows - rows.mean(0, dtype=torch.float64).to(rows.dtype)
    variance, square = float(deviations.square().mean()), float(rows.square().mean())
    return variance if variance > 10 * torch.finfo(rows.dtype).eps ** 2 * square else 1.0


def _take_over_weights(module: Autoencoder, previous: Autoencoder) -> None:
    """Copy the weights of an earlier fit."""
    shapes, before = (
        {name: tuple(p.shape) for name, p in m.named_parameters()} for m in (module, previous)
    )
    changed = sorted(name for name in shapes | before if shapes.get(name) != before.get(name))
    if changed:
        was, now = ({name: all_.get(name) for name in changed} for all_ in (before, shapes))
        raise ValueError(
            f"warm_start=True needs the shapes of the last fit: weights were {was} and would now "
            f"be {now}."
        )
    # Of encoder and decoder also what does not learn; of the activation, it decides itself.
    kept = {
        name: state
        for name, state in previous.state_dict().items()
        if name in shapes or name.startswith(("encoder.", "decoder."))
    }
    module.load_state_dict(kept, strict=False)
    module.activation.take_over(previous.activation)


def _all_callbacks(
    estimator: "BaseSAE", plan: Plan, variants: list[tuple[str, Callback]]
) -> list[tuple[str, Callback]]:
    """Return our own callbacks, those of the variant among them, and after them the user's."""
    own: list[tuple[str, Callback]] = []
    warm_up, decay = plan.steps(estimator.lr_warmup), plan.steps(estimator.lr_decay)
    if warm_up or decay:
        schedule = LearningRateSchedule(estimator.learning_rate, warm_up, decay, plan.n_steps)
        own.append(("learning_rate", schedule))
    own += variants
    interval = max(1, plan.steps(estimator.log_interval))
    monitor = Monitor(estimator.history_, interval, plan.n_steps, estimator.verbose)
    users = [(f"user_{i}", callback) for i, callback in enumerate(estimator.callbacks)]
    # The log comes before the user's callbacks: an LRScheduler among them already sets the next
    # step's learning rate.
    return [*own, ("monitor", monitor), *users]
