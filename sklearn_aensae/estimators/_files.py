"""What estimators do with files: `save`, and the checkpoints of `fit`."""

import os
from typing import TYPE_CHECKING, cast

from sklearn.utils.validation import check_is_fitted

from sklearn_aensae.io._checkpoints import Checkpoints
from sklearn_aensae.io._native import save
from sklearn_aensae.sources import Source

if TYPE_CHECKING:
    from sklearn_aensae.estimators._base import BaseSAE

__all__ = ["PersistenceMixin", "open_checkpoints", "refuse_checkpoints"]


class PersistenceMixin:
    """Adds `save`; :func:`sklearn_aensae.load` is its counterpart."""

    def save(self, path: str | os.PathLike[str], *, optimizer: bool = True) -> None:
        """Save to a folder that `sklearn_aensae.load` reads, without pickle.

        The folder holds `sae.json` (class, parameters, versions, history) and `sae.safetensors`
        (all that was learned). An earlier version in the same place is replaced, so that a crash
        leaves the old one or the new one.

        Parameters
        ----------
        path : str or path
            New folder, or one that `save` has written before.
        optimizer : bool, default=True
            Whether the state of the optimiser is saved, so that `partial_fit` goes on as it
            would have. Adam's takes twice the space of the weights; without it training goes on
            from the same weights with a fresh optimiser.

        Raises
        ------
        NotFittedError
            If there is nothing to save.
        ValueError
            If `path` holds something else.
        TypeError
            If a parameter is code: an optimiser that is neither a name nor a class of
            `torch.optim` (or a `functools.partial` of one).

        Warns
        -----
        UserWarning
            If there are `callbacks`, which are not saved.

        Examples
        --------
        >>> import tempfile
        >>> import sklearn_aensae
        >>> sae = sklearn_aensae.L1SAE(4, max_epochs=1).fit([[0.0, 1.0], [2.0, 3.0]])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sae.save(folder)
        ...     print(sklearn_aensae.load(folder).n_components_)
        4
        """
        check_is_fitted(self)
        save(cast("BaseSAE", self), path, optimizer=optimizer)


def open_checkpoints(estimator: "BaseSAE", source: Source) -> Checkpoints | None:
    """Return the checkpoints of a fit, if it has a folder for them."""
    if estimator.checkpoint_dir is None:
        return None
    if estimator.warm_start:
        raise ValueError(
            "warm_start=True cannot be used with checkpoint_dir: the weights that training starts "
            "from are not among the parameters by which a checkpoint is recognised."
        )
    return Checkpoints(estimator, source)


def refuse_checkpoints(estimator: "BaseSAE") -> None:
    """Refuse `checkpoint_dir` where nothing would be written there."""
    if estimator.checkpoint_dir is not None:
        raise ValueError(
            f"checkpoint_dir={estimator.checkpoint_dir!r} is of no use to partial_fit, which "
            "writes no checkpoints; set it to None, and call save between two calls."
        )
