"""The checkpoints of one fit: what goes into them, and how training goes on from one."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn_aensae.exceptions import LoadError
from sklearn_aensae.io._checkpoint_folder import CheckpointFolder
from sklearn_aensae.io._encoding import moved
from sklearn_aensae.io._identity import differences, identify
from sklearn_aensae.io._state import pack, restore_net
from sklearn_aensae.sources import Source
from sklearn_aensae.training.checkpoint import Checkpoint, callback_states

if TYPE_CHECKING:
    from sklearn_aensae.estimators import BaseSAE

__all__ = ["Checkpoints"]


class Checkpoints:
    """Checkpoints of a fit in its `checkpoint_dir`, which may hold some of an earlier process.

    Parameters
    ----------
    estimator : BaseSAE
        About to be fitted, its seed drawn; if `random_state` is None, it is given the seed of the
        checkpoint that it goes on from.
    source : Source
        All rows, before any are held out.

    Raises
    ------
    ValueError
        If the checkpoints belong to a fit with other parameters or data.
    LoadError
        If there are checkpoints, but none can be read.
    """

    def __init__(self, estimator: "BaseSAE", source: Source) -> None:
        self.estimator = estimator
        self.folder = CheckpointFolder(Path(estimator.checkpoint_dir or ""))
        self.identity = identify(estimator, source)
        content = self.folder.newest()
        self.content = content
        self.finished = content is not None and content["checkpoint"]["finished"]
        if content is not None:
            self._refuse_other_fits(content["checkpoint"]["identity"])
            self.folder.clean()
            estimator._seed = content["seed"]

    def restore(self, device: str) -> bool:
        """Give the estimator the state of the checkpoint; False if there is none."""
        if self.content is None:
            return False
        try:
            restore_net(self.estimator, self.content, device)
        except LoadError as error:
            raise LoadError(
                f"the checkpoint in {self.folder.path} does not fit this version of the estimator: "
                f"{error} Delete the folder to start anew."
            ) from error
        net = self.estimator.net_
        net.running_ = moved(self.content["checkpoint"]["running"], device)
        return True

    def callback(self) -> Checkpoint:
        """Return the callback that restores other callbacks and writes checkpoints."""
        estimator, states = self.estimator, {}
        if self.content is not None:
            states = moved(self.content["checkpoint"]["callbacks"], estimator.net_.device)
        self.content = None
        interval = max(1, estimator._plan.steps(estimator.checkpoint_interval))
        return Checkpoint(self.write, interval, states)

    def write(self, net: Any, *, finished: bool = False) -> None:
        """Write a checkpoint, unless the weights are no longer finite.

        Raises
        ------
        TypeError
            If the state of a callback cannot be saved.
        """
        if not all(bool(p.isfinite().all()) for p in net.module_.parameters()):
            return
        content = pack(self.estimator)
        if not finished:
            # The epoch under way begins anew, without the batches that it has had.
            content["epochs"] = content["epochs"][:-1]
        content["checkpoint"] = {
            "finished": finished,
            "identity": self.identity,
            "running": net.running_,
            "callbacks": {} if finished else callback_states(net),
        }
        try:
            self.folder.write(net.n_steps_, content, finished=finished)
        except TypeError as error:
            names = ", ".join(type(callback).__name__ for callback in self.estimator.callbacks)
            raise TypeError(
                f"checkpoint_dir cannot be used with these callbacks ({names}): {error}"
            ) from error

    def _refuse_other_fits(self, identity: dict[str, Any]) -> None:
        """Refuse to go on from, or to write beside, what another fit has left."""
        different = differences(identity, self.identity)
        if different:
            raise ValueError(
                f"checkpoint_dir={str(self.folder.path)!r} holds checkpoints of another fit: "
                f"{'; '.join(different)}. Give each fit its own folder, or delete this one to "
                "start anew."
            )
