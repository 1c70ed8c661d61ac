"""The training log: sums on the device, read once per log interval, and what hangs on that read."""

import math
import time
from collections.abc import Iterator
from typing import Any

from skorch.callbacks import Callback
from torch import Tensor, nn
from tqdm.auto import tqdm

from sklearn_aensae.exceptions import DivergenceError
from sklearn_aensae.training.interval import Interval, Summary

__all__ = ["Monitor"]


LOGGED = frozenset(
    {
        "dead_share", "epoch", "explained_variance", "l0", "lambda_1", "learning_rate", "loss",
        "rows_per_second", "sparse_share", "step",
    }
)  # fmt: skip
"""Columns of the history that are not terms of the loss."""


class Monitor(Callback):
    """Writes one row per log interval, guards against divergence, moves the progress bar.

    Between two rows nothing is read from the device. At each row the weights are kept if all
    losses since the last one were finite; otherwise training stops with the weights of
    the last row after which a finite loss was seen.

    Parameters
    ----------
    history : dict of str to list
        Where rows go: equal-length lists by column.
    interval : int
        Optimiser steps per row.
    n_steps : int or None
        Planned steps, for the progress bar.
    verbose : bool
        Whether to show the bar.
    """

    def __init__(
        self, history: dict[str, list[float]], interval: int, n_steps: int | None, verbose: bool
    ) -> None:
        self.history = history
        self.interval = interval
        self.n_steps = n_steps
        self.verbose = verbose

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Open the bar and keep the weights training starts from."""
        self.interval_ = Interval()
        self.kept_: list[tuple[int, dict[str, Any]]] = []
        self.started_ = time.perf_counter()
        self.bar_ = tqdm(total=self.n_steps, disable=not self.verbose, unit="step")
        self._keep_weights(net)

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Take in a step, and write a row when one is due."""
        if not training:
            return
        self.interval_.add(batch[1], kwargs["y_pred"], kwargs["loss"], net.criterion_.last_values)
        if net.n_steps_ % self.interval == 0:
            self._write_row(net)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Write what is left, check the last update, close the bar, let go of the kept weights."""
        if not hasattr(self, "interval_"):  # Ctrl-C came before training had begun
            return
        try:
            if len(self.interval_):
                self._write_row(net)
            if not all(bool(p.isfinite().all()) for p in net.module_.parameters()):
                self._restore(net, net.n_steps_, ["weights"])
        finally:
            self._close()

    def state_dict(self) -> dict[str, Any]:
        """Return what the steps since the last row gave."""
        return self.interval_.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on in the middle of an interval; called once training has begun."""
        self.interval_.load_state_dict(state)
        self.bar_.initial = self.bar_.n = (self.history.get("step") or [0])[-1]

    def _close(self) -> None:
        for name in ("interval_", "kept_"):
            self.__dict__.pop(name, None)
        bar = self.__dict__.pop("bar_", None)
        if bar is not None:
            bar.close()

    def _keep_weights(self, net: Any) -> None:
        """Remember the present weights, and the ones before: no loss has seen these yet."""
        # Those before are let go of, their memory is not.
        old = self.kept_.pop(0)[1] if len(self.kept_) == 2 else {}
        weights = {name: _copied(state, old.get(name)) for name, state in _learned(net)}
        self.kept_.append((net.n_steps_, weights))

    def _write_row(self, net: Any) -> None:
        """Read the device once, append a row, and check that training is sound."""
        summary, self.interval_ = self.interval_.summary(), Interval()
        if summary.first_bad is not None:
            bad = [name for name, value in summary.means.items() if not math.isfinite(value)]
            self._restore(net, net.n_steps_ - summary.n_steps + 1 + summary.first_bad, bad)
        self._append(net, summary)
        net.module_.activation.adapt()
        self.bar_.update(summary.n_steps)
        self.started_ = time.perf_counter()
        self._keep_weights(net)

    def _append(self, net: Any, summary: Summary) -> None:
        """Append one row to the history and show it in the bar."""
        l0, control = summary.means.pop("l0"), net.criterion_.control
        row = {
            "step": net.n_steps_,
            "epoch": len(net.history),
            **summary.means,
            "explained_variance": summary.explained_variance,
            "l0": l0,
            "dead_share": float(net.module_.tracker.dead().float().mean()),
            "sparse_share": summary.sparse_share,
            "learning_rate": net.optimizer_.param_groups[0]["lr"],
            **({} if control is None else control.report()),
            "rows_per_second": summary.n_rows / (time.perf_counter() - self.started_),
        }
        for name, value in row.items():
            self.history.setdefault(name, []).append(value)
        if self.verbose:
            loss, variance = row["loss"], row["explained_variance"]
            self.bar_.set_postfix(loss=f"{loss:.4g}", EV=f"{variance:.3f}", L0=f"{l0:.1f}")

    def _restore(self, net: Any, bad_step: int, bad: list[str]) -> None:
        """Put the last good weights back, forget what came after, say what probably went wrong."""
        # Weights are good if the loss of the step after them was finite.
        good = (kept for kept in reversed(self.kept_) if kept[0] + 1 < bad_step)
        step, weights = next(good, self.kept_[0])
        _parts(net).load_state_dict(weights, strict=False)
        net.n_steps_ = step
        n_rows = sum(one <= step for one in self.history.get("step", []))
        for column in self.history.values():
            del column[n_rows:]
        rate = net.optimizer_.param_groups[0]["lr"]
        # The optimiser's moments follow the gradients of the bad steps.
        net.initialize_optimizer()
        self._close()
        # Before the first update, no learning rate has done anything.
        rate_or = f"learning_rate is too large (it was {rate:.3g} there), or " * (bad_step > 1)
        raise DivergenceError(
            f"the loss or the weights became NaN or infinite in step {bad_step} (not finite: "
            f"{', '.join(bad)}). Most likely {rate_or}X has values too large for dtype or for "
            f"input_scaling=None. The estimator keeps the weights of step {step}."
        )


def _learned(net: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a step changes: weights, thresholds, what penalties have adapted to, counters.

    Who fired when is not among it: that is counted, and cannot become infinite.
    """
    for name, state in _parts(net).state_dict().items():
        if not name.startswith("module.tracker."):
            yield name, state


def _copied(state: Any, memory: Tensor | None) -> Any:
    """Copy a tensor, into memory that is there already if any is; plain values are new anyway."""
    if not isinstance(state, Tensor):
        return state
    return state.clone() if memory is None else memory.copy_(state)


def _parts(net: Any) -> nn.ModuleDict:
    """Return what has a state, as one."""
    return nn.ModuleDict({"module": net.module_, "objective": net.criterion_})
