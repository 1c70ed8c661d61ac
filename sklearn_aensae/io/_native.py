"""Saving an estimator to a folder and loading it: data only, no code."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from sklearn_aensae._devices import resolve_device
from sklearn_aensae._warnings import warn
from sklearn_aensae.exceptions import LoadError
from sklearn_aensae.io._classes import find_class
from sklearn_aensae.io._folder import DOCUMENT, read_folder, write_folder
from sklearn_aensae.io._parameters import from_plain
from sklearn_aensae.io._state import pack, restore_net
from sklearn_aensae.params import validate_params

if TYPE_CHECKING:
    from sklearn_aensae.estimators import BaseSAE

__all__ = ["load", "save"]


def save(estimator: "BaseSAE", path: str | os.PathLike[str], *, optimizer: bool = True) -> None:
    """Write a fitted estimator to a folder; see `BaseSAE.save`."""
    content = pack(estimator, optimizer=optimizer)
    write_folder(Path(path), content)
    if estimator.callbacks:
        names = ", ".join(type(callback).__name__ for callback in estimator.callbacks)
        warn(
            f"Saved without callbacks ({names}): files hold data and not code. Set them again "
            "after loading, if you train further.",
        )


def load(path: str | os.PathLike[str], *, device: str | torch.device = "auto") -> "BaseSAE":
    """Load an estimator that `save` wrote, or a checkpoint of a fit.

    Nothing in the folder is run: it holds numbers and names, and names are looked up among the
    estimators of the library and the subclasses of `BaseSAE` that are already imported.

    Parameters
    ----------
    path : str or path
        Folder with `sae.json` and `sae.safetensors`.
    device : str or torch.device, default="auto"
        Where the weights go, and the `device` parameter of the loaded estimator, whatever it was
        trained on. "auto" takes CUDA if there is one, else the CPU.

    Returns
    -------
    estimator : BaseSAE
        Fitted, with all attributes; `transform` gives the same codes, and `partial_fit` goes on
        as it would have.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    LoadError
        If a file is damaged or foreign, of a newer format, or names an unknown class.
    ValueError
        If this machine does not have the device.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import sklearn_aensae
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data
    >>> sae = sklearn_aensae.TopKSAE(64, k=8, max_epochs=1, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sae.save(Path(folder) / "digits")
    ...     again = sklearn_aensae.load(Path(folder) / "digits")
    >>> bool((again.transform(X) == sae.transform(X)).all())
    True
    """
    device_name = resolve_device(device)
    content = read_folder(Path(path))
    try:
        cls = find_class(content["class"])
        estimator: BaseSAE = cls(**{**from_plain(content["parameters"]), "device": device})
        validate_params(estimator)
        restore_net(estimator, content, device_name)
        estimator.n_features_in_ = estimator._plan.n_features
        if content["feature_names_in"] is not None:
            estimator.feature_names_in_ = np.array(content["feature_names_in"], dtype=object)
    except KeyError as error:
        raise LoadError(f"{Path(path) / DOCUMENT} misses the entry {error}.") from error
    except (
        ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError,
    ) as error:  # fmt: skip
        raise LoadError(f"{Path(path) / DOCUMENT} cannot be loaded: {error}") from error
    return estimator
