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
    the last row.

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
        """Write what is left, close the bar and let go of the kept weights."""
        try:
            if self.n_batches_:
                self._write_row(net)
        finally:
            self._close()

    def _close(self) -> None:
        self.bar_.close()
        for name in ("sums_", "kept_", "bar_", "shift_"):
            self.__dict__.pop(name, None)

    def _keep_weights(self, net: Any) -> None:
        """Remember the present weights as good."""
        self.kept_ = {name: p.detach().clone() for name, p in net.module_.named_parameters()}
        self.kept_step_ = net.n_steps_

    def _write_row(self, net: Any) -> None:
        """Read the device once, append a row, and check that training is sound."""
        total = self.sums_.pop("sum")
        spread = self.sums_.pop("square") - total.square().sum() / self.n_rows_
        dead = net.module_.tracker.dead().to(spread.dtype).mean()
        names = [*self.sums_, "spread", "dead"]
        values = torch.stack([*self.sums_.values(), spread, dead]).tolist()
        read = dict(zip(names, values, strict=True))
        if read["bad_step"] < math.inf:
            self._restore(net, read)
        self._append(net, read)
        self.bar_.update(self.n_batches_)
        self.sums_, self.n_rows_, self.n_batches_ = {}, 0, 0
        self.started_ = time.perf_counter()
        self._keep_weights(net)

    def _append(self, net: Any, read: dict[str, float]) -> None:
        """Append one row to the history and show it in the bar."""
        seconds = time.perf_counter() - self.started_
        mean = {k: v / self.n_rows_ for k, v in read.items()}
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
            "rows_per_second": self.n_rows_ / seconds,
        }
        for name, value in row.items():
            self.history.setdefault(name, []).append(value)
        self.bar_.set_postfix(
            loss=f"{row['loss']:.4g}", EV=f"{row['explained_variance']:.3f}", L0=f"{row['l0']:.1f}"
        )

    def _restore(self, net: Any, read: dict[str, float]) -> None:
        """Put the last good weights back and say what probably went wrong."""
        bad = [k.removeprefix("term_") for k, v in read.items() if not math.isfinite(v)]
        with torch.no_grad():
            for name, parameter in net.module_.named_parameters():
                parameter.copy_(self.kept_[name])
        step, net.n_steps_ = int(read["bad_step"]), self.kept_step_
        self.n_batches_ = 0
        self._close()
        rate = net.optimizer_.param_groups[0]["lr"]
        raise DivergenceError(
            f"the loss became NaN or infinite in step {step} (not finite: {', '.join(bad)}). "
            f"Most likely learning_rate is too large (it was {rate:.3g} there), or the input "
            "has values so large that input_scaling=None overflows. The estimator keeps the "
            f"weights of step {self.kept_step_}."
        )
