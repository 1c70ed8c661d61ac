"""The training log: sums on the device, read once per log interval, and what hangs on that read."""

import math
import time
from typing import Any

import torch
from skorch.callbacks import Callback
from torch import Tensor
from tqdm.auto import tqdm

from sklearn_aensae.exceptions import DivergenceError

__all__ = ["Monitor"]


class Monitor(Callback):
    """Writes one row per log interval, guards against divergence, moves the progress bar.

    Between two rows everything is summed on the device. At each row the weights are kept if
    all losses since the last one were finite; otherwise training stops with the weights of
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
        self.sums_: dict[str, Tensor] = {}
        self.kept_: list[tuple[int, dict[str, Tensor]]] = []
        self.n_rows_ = self.n_batches_ = 0
        self.started_ = time.perf_counter()
        self.bar_ = tqdm(total=self.n_steps, disable=not self.verbose, unit="step")
        self._keep_weights(net)

    @torch.no_grad()
    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Add a batch to the sums, and write a row when one is due."""
        if not training:
            return
        x, output, loss = batch[0], kwargs["y_pred"], kwargs["loss"]
        if not self.sums_:
            self.shift_ = x.mean(0)
        shifted = x - self.shift_
        parts = {f"term_{k}": v * len(x) for k, v in net.criterion_.last_values.items()}
        parts |= {
            "loss": loss * len(x),
            "error": (x - output.reconstruction).square().sum(),
            "active": output.codes.firing_counts.sum(),
            "square": shifted.square().sum(),
            "sum": shifted.sum(0),
        }
        # Single precision would not do for millions of rows; some devices have nothing else.
        precision = torch.float32 if x.device.type == "mps" else torch.float64
        for name, value in parts.items():
            earlier = self.sums_.get(name, torch.zeros((), dtype=precision, device=x.device))
            self.sums_[name] = earlier + value
        bad_step = torch.where(loss.isfinite(), torch.inf, float(net.n_steps_)).to(precision)
        self.sums_["bad_step"] = torch.minimum(self.sums_.get("bad_step", bad_step), bad_step)
        self.n_rows_ += len(x)
        self.n_batches_ += 1
        if net.n_steps_ % self.interval == 0:
            self._write_row(net)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Write what is left, check the last update, close the bar, let go of the kept weights."""
        try:
            if self.n_batches_:
                self._write_row(net)
            if not all(bool(p.isfinite().all()) for p in net.module_.parameters()):
                self._restore(net, net.n_steps_, ["weights"])
        finally:
            self._close()

    def state_dict(self) -> dict[str, Any]:
        """Return what has been summed since the last row."""
        return {
            "sums": self.sums_,
            "shift": self.shift_ if self.sums_ else None,
            "n_rows": self.n_rows_,
            "n_batches": self.n_batches_,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on summing; called once training has begun."""
        self.sums_ = dict(state["sums"])
        self.shift_ = state["shift"]
        self.n_rows_, self.n_batches_ = state["n_rows"], state["n_batches"]
        self.bar_.initial = self.bar_.n = (self.history.get("step") or [0])[-1]

    def _close(self) -> None:
        for name in ("sums_", "kept_", "shift_"):
            self.__dict__.pop(name, None)
        bar = self.__dict__.pop("bar_", None)
        if bar is not None:
            bar.close()

    def _keep_weights(self, net: Any) -> None:
        """Remember the present weights, and the ones before: no loss has seen these yet."""
        weights = {name: p.detach().clone() for name, p in net.module_.named_parameters()}
        self.kept_ = [*self.kept_[-1:], (net.n_steps_, weights)]

    def _write_row(self, net: Any) -> None:
        """Read the device once, append a row, and check that training is sound."""
        sums, n_rows, n_batches = self.sums_, self.n_rows_, self.n_batches_
        self.sums_, self.n_rows_, self.n_batches_ = {}, 0, 0
        sums["spread"] = sums.pop("square") - sums.pop("sum").square().sum() / n_rows
        sums["dead"] = net.module_.tracker.dead().to(sums["spread"].dtype).mean()
        read = dict(zip(sums, torch.stack([*sums.values()]).tolist(), strict=True))
        bad_step = read.pop("bad_step")
        if bad_step < math.inf:
            bad = [k.removeprefix("term_") for k, v in read.items() if not math.isfinite(v)]
            self._restore(net, int(bad_step), bad)
        self._append(net, read, n_rows)
        self.bar_.update(n_batches)
        self.started_ = time.perf_counter()
        self._keep_weights(net)

    def _append(self, net: Any, read: dict[str, float], n_rows: int) -> None:
        """Append one row to the history and show it in the bar."""
        seconds = time.perf_counter() - self.started_
        mean = {k: v / n_rows for k, v in read.items()}
        spread = read["spread"]
        row = {
            "step": net.n_steps_,
            "epoch": len(net.history),
            "loss": mean["loss"],
            **{k.removeprefix("term_"): v for k, v in mean.items() if k.startswith("term_")},
            "explained_variance": 1 - read["error"] / spread if spread > 0 else math.nan,
            "l0": mean["active"],
            "dead_share": read["dead"],
            "learning_rate": net.optimizer_.param_groups[0]["lr"],
            "rows_per_second": n_rows / seconds,
        }
        for name, value in row.items():
            self.history.setdefault(name, []).append(value)
        self.bar_.set_postfix(
            loss=f"{row['loss']:.4g}", EV=f"{row['explained_variance']:.3f}", L0=f"{row['l0']:.1f}"
        )

    def _restore(self, net: Any, bad_step: int, bad: list[str]) -> None:
        """Put the last good weights back and say what probably went wrong."""
        # Weights are good if the loss of the step after them was finite.
        good = (kept for kept in reversed(self.kept_) if kept[0] + 1 < bad_step)
        step, weights = next(good, self.kept_[0])
        with torch.no_grad():
            for name, parameter in net.module_.named_parameters():
                parameter.copy_(weights[name])
        net.n_steps_ = step
        self._close()
        rate = net.optimizer_.param_groups[0]["lr"]
        raise DivergenceError(
            f"the loss or the weights became NaN or infinite in step {bad_step} (not finite: "
            f"{', '.join(bad)}). Most likely learning_rate is too large (it was {rate:.3g} there), "
            "or X has values too large for dtype or for input_scaling=None. The estimator keeps "
            f"the weights of step {step}."
        )
