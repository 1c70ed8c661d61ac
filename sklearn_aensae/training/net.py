"""The skorch net that trains an autoencoder on an objective."""

from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor

from sklearn_aensae.kernels import Workspace, matmul_precision
from sklearn_aensae.training.batches import Batches
from sklearn_aensae.training.interrupts import noting_ctrl_c

__all__ = ["SAENet"]


class SAENet(NeuralNet):
    """A `NeuralNet` whose loss is an `Objective` and whose epochs read the device once.

    `fit_loop` takes `Batches` instead of arrays. Everything else is skorch's: callbacks,
    history, optimiser, checkpoints, pickling across devices.

    Parameters
    ----------
    *args, **kwargs
        As in `NeuralNet`.
    matmul_precision : {"highest", "high", "medium"}, default="highest"
        Precision of float32 products in steps.

    Attributes
    ----------
    n_steps_ : int
        Optimiser steps so far.
    interrupted_ : bool
        Whether the last training was stopped by the user (Ctrl-C), not by a callback.
    running_ : dict
        How far the present epoch has come: `loss` summed over `n_rows` rows, `n_batches`. Set
        before training, it goes on in the middle of an epoch.
    """

    def __init__(self, *args: Any, matmul_precision: str = "highest", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.matmul_precision = matmul_precision

    def initialize(self) -> "SAENet":
        """Initialise the net and its own counters."""
        self.workspace_ = Workspace()
        self.n_steps_ = 0
        self.interrupted_ = False
        self.best_losses_: dict[str, float] = {}
        self.running_ = _nothing()
        super().initialize()
        return self

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        """No callback by default: skorch's own would score and print in every epoch."""
        return []

    def check_data(self, X: Any, y: Any = None) -> None:
        """Accept what the estimator has validated."""

    def get_split_datasets(
        self, X: Batches, y: Batches | None = None, **fit_params: Any
    ) -> tuple[Batches, Batches | None]:
        """Training batches and, in the place of a target, validation batches."""
        return X, y

    def get_iterator(self, dataset: Batches, training: bool = False) -> Batches:
        """Batches are their own iterator."""
        return dataset

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Tensor | None = None, training: bool = False
    ) -> Tensor:
        """Value of the objective on a batch."""
        loss: Tensor = self.criterion_(X, y_pred._replace(target=y_true), self.module_)
        return loss

    def partial_fit(
        self, X: Batches, y: Any = None, classes: Any = None, **fit_params: Any
    ) -> "SAENet":
        """Train as skorch does, and remember whether the user stopped it."""
        self.interrupted_ = False
        # Callbacks are to begin and to end as a whole, too.
        with noting_ctrl_c(self):
            super().partial_fit(X, y, classes, **fit_params)
        return self

    def fit_loop(self, X: Batches, y: Any = None, **fit_params: Any) -> "SAENet":
        """Train as skorch does, and end where the constraint holds."""
        try:
            super().fit_loop(X, y, **fit_params)
        except KeyboardInterrupt:
            self.module_.decoder.constrain_()
        finally:
            self.forget_epoch()
        return self

    def forget_epoch(self) -> None:
        """Drop the sums of an epoch: it has ended, or will not be gone on with."""
        self.running_ = _nothing()

    def release(self) -> None:
        """Let go of the memory of steps and of gradients; a later step takes it anew."""
        self.workspace_ = Workspace()
        self.optimizer_.zero_grad()

    def train_step(self, batch: Any, **fit_params: Any) -> Any:
        """Take one optimiser step, in the memory of the last one, back onto the constraint."""
        with self.workspace_.step(), matmul_precision(self.matmul_precision):
            step = super().train_step(batch, **fit_params)
            self.module_.decoder.constrain_()
            return _without_graph(step)

    def validation_step(self, batch: Any, **fit_params: Any) -> Any:
        """Compute the loss of a held-out batch."""
        with self.workspace_.step(), matmul_precision(self.matmul_precision):
            return _without_graph(super().validation_step(batch, **fit_params))

    def run_single_epoch(
        self, iterator: Batches, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Run all batches of an epoch and record its mean loss with one read of the device."""
        if iterator is None:
            return
        running = self.start_pass(training)
        for batch in iterator:
            self.run_batch(batch, step_fn, running, training=training, **fit_params)
        self.end_pass(prefix, running)

    def start_pass(self, training: bool) -> dict[str, Any]:
        """Return the sums of a pass: in training, those of an epoch that may have begun."""
        return self.running_ if training else _nothing()

    def run_batch(
        self, batch: Any, step_fn: Any, running: dict[str, Any], *, training: bool, **params: Any
    ) -> None:
        """Take a step on a batch, unless the user has stopped training, and add it to the sums."""
        self.notify("on_batch_begin", batch=batch, training=training)
        if self.interrupted_:
            raise KeyboardInterrupt
        step = step_fn(batch, **params)
        loss, n_rows = step["loss"], batch[0].shape[0]
        # In place, and in one call: on small models it is the calls that take time.
        has_begun = running["n_batches"] > 0
        running["loss"] = running["loss"].add_(loss, alpha=n_rows) if has_begun else loss * n_rows
        running["n_rows"] += n_rows
        running["n_batches"] += 1
        # For every attribute that is set the usual way, skorch looks whether it is a module.
        self.__dict__["n_steps_"] += training
        self.notify("on_batch_end", batch=batch, training=training, **step)

    def end_pass(self, prefix: str, running: dict[str, Any]) -> None:
        """Record the mean loss of a pass, with one read of the device."""
        if running["n_rows"]:
            self._record_epoch(prefix, float(running["loss"] / running["n_rows"]))

    def _record_epoch(self, prefix: str, loss: float) -> None:
        """Write an epoch's loss, and whether it is the best, where skorch's callbacks look."""
        name = f"{prefix}_loss"
        is_best = loss < self.best_losses_.get(name, float("inf"))
        if is_best:
            self.best_losses_[name] = loss
        self.history.record(name, loss)
        self.history.record(f"{name}_best", is_best)

    def restore_best_losses(self) -> None:
        """Read from the history which loss is the best, for an epoch that is run again."""
        for name in ("train_loss", "valid_loss"):
            losses = [row[name] for row in self.history if row.get(f"{name}_best")]
            self.best_losses_ |= {name: losses[-1]} if losses else {}

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Start the sums of the next epoch."""
        super().on_epoch_end(net, **kwargs)
        self.forget_epoch()

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin a new history row and drop what single batches of the last one recorded."""
        super().on_epoch_begin(net, **kwargs)
        # Batch records would grow without bound over a long training.
        for row in self.history[-2:-1]:
            row["batches"] = []

    def on_batch_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin a batch's record, unless nothing has been written into the last one.

        Few callbacks write there, and a stream of any length is one epoch.
        """
        # skorch's own way to look it up copies the history.
        records = list.__getitem__(self.history, -1)["batches"]
        if not records or records[-1]:
            records.append({})

    def __getstate__(self) -> dict[str, Any]:
        """Drop the module and objective given at construction: they are `module_`, `criterion_`.

        skorch stores only the latter in a form that loads on a machine without the GPU.
        """
        state: dict[str, Any] = super().__getstate__()
        state["module"] = state["criterion"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Load onto a device that is there; skorch turns its name into an object on the way."""
        super().__setstate__(state)
        self.__dict__["device"] = str(self.__dict__["device"])


def _without_graph(step: dict[str, Any]) -> dict[str, Any]:
    """Let go of how the loss of a step came about: nobody goes back from it again."""
    return {**step, "loss": step["loss"].detach()}


def _nothing() -> dict[str, Any]:
    """Return the sums of an epoch that has just begun."""
    return {"loss": 0.0, "n_rows": 0, "n_batches": 0}
