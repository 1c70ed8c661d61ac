"""What estimators can do with files: `save`."""

import os

from sklearn.utils.validation import check_is_fitted

from sklearn_aensae.io._native import save

__all__ = ["PersistenceMixin"]


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
        See :func:`sklearn_aensae.load`.
        """
        check_is_fitted(self)
        save(self, path, optimizer=optimizer)
