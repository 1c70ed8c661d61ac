"""One estimator after the other along growing or falling penalties, each from the last."""

import copy
from collections.abc import Iterable, Iterator
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import check_random_state

from sklearn_aensae.estimators import AdaptiveElasticNetSAE, BaseSAE
from sklearn_aensae.estimators._coding import iter_reconstructions
from sklearn_aensae.estimators._results import as_stored
from sklearn_aensae.estimators._validation import validate_rows, validate_X
from sklearn_aensae.metrics import CodeStatistics, ReconstructionStatistics
from sklearn_aensae.model_selection._strengths import as_strengths
from sklearn_aensae.params import Length, check_param
from sklearn_aensae.sources import is_stream

__all__ = ["Figures", "SAEPath", "check_path", "iter_path", "measure", "sae_path"]

WARM_LENGTH = Length(low=1)

Floats = NDArray[np.float64]


class Figures(NamedTuple):
    """What is measured of an estimator."""

    explained_variance: float
    l0: float
    dead_share: float


class SAEPath(NamedTuple):
    """What :func:`sae_path` returns."""

    lambdas: Floats
    """Strengths, in the order of training: shape (n_lambdas,)."""

    components: NDArray[np.floating]
    """Dictionaries, of shape (n_components, n_features, n_lambdas)."""

    explained_variance: Floats
    """Of the reconstructions, shape (n_lambdas,)."""

    l0: Floats
    """Mean number of active codes per row, shape (n_lambdas,)."""

    dead_share: Floats
    """Share of components that are silent on all rows, shape (n_lambdas,)."""

    estimators: list[BaseSAE] | None
    """The fitted estimators, with `return_estimators=True`."""


def sae_path(
    X: Any,
    lambdas: int | ArrayLike = 8,
    *,
    estimator: BaseSAE | None = None,
    eps: float = 0.01,
    warm_length: int | float = 0.3,
    X_test: Any = None,
    return_estimators: bool = False,
) -> SAEPath:
    r"""Fit a sparse autoencoder for each of several strengths of its L1 penalty.

    The first is fitted as by its own `fit`; each of the others starts from the weights of the one
    before (`warm_start`) and trains for a shorter time. All have the same seed, so that rows come
    in one order for all. This is what :func:`sklearn.linear_model.enet_path` is to
    :class:`sklearn.linear_model.ElasticNet`, except that the problem is not convex: where a path
    comes from has a part in where it leads to. Let strengths grow, as the default does: on a
    falling path, components that a strong penalty has silenced are missing later on. And train the
    first one until it has learned what it can, or else the later ones are ahead of it.

    Parameters
    ----------
    X : array-like or Tensor of shape (n_samples, n_features), or data larger than memory
        Rows to train on, as in `fit`; an iterator, which can be used once, does not do.
    lambdas : int or array-like of shape (n_lambdas,), default=8
        Strengths `lambda_1` in the order of training, or how many there are to be: these grow
        by equal factors, from `eps` times the strength :math:`\frac2n \max_x \lVert x - b \rVert`
        (in the units of training) at which no code is active any more, up to the last one below it.
    estimator : BaseSAE with a parameter lambda_1, default=None
        All other parameters; it stays as it is. None is ``AdaptiveElasticNetSAE()``.
    eps : float, default=0.01
        Where strengths begin, if their number is given.
    warm_length : int or float, default=0.3
        Length of all fits but the first: optimiser steps (int), or a share of the steps of the
        first (float). 1.0 trains all of them equally long.
    X_test : array-like or Tensor of shape (n_samples, n_features), memmap, shards or path, \
            default=None
        Rows on which the figures are measured; None for `X`.
    return_estimators : bool, default=False
        Whether all fitted estimators are kept. Their `max_steps` is the length of their own fit.

    Returns
    -------
    path : SAEPath
        Named tuple of lambdas, components, explained_variance, l0, dead_share and estimators.
        Ctrl-C ends it with the estimator under way; it then is shorter than `lambdas`.

    Raises
    ------
    ValueError, TypeError
        If the estimator has no `lambda_1`, or other parameters that rule a path out
        (`checkpoint_dir`, `target_l0`); if another argument is not what it should be; and as in
        `fit`.
    DivergenceError
        If a loss is not finite.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import AdaptiveElasticNetSAE, sae_path
    >>> X = load_digits().data
    >>> sae = AdaptiveElasticNetSAE(64, max_epochs=5, random_state=0)
    >>> path = sae_path(X, [0.003, 0.01, 0.03], estimator=sae)
    >>> path.components.shape
    (64, 64, 3)
    >>> bool(path.l0[0] > path.l0[1] > path.l0[2])
    True
    """
    estimator = AdaptiveElasticNetSAE() if estimator is None else estimator
    check_path(estimator, warm_length)
    _check_rows(estimator, X, X_test)
    strengths = as_strengths(lambdas, eps, estimator, X)
    rows = X if X_test is None else X_test
    kept: list[BaseSAE] = []
    dictionaries, figures = [], []
    for sae in iter_path(estimator, X, strengths, warm_length):
        figures.append(measure(sae, rows))
        dictionaries.append(sae.components_)
        kept += [sae] if return_estimators else []
    variances, l0, dead = np.array(figures).T
    return SAEPath(
        strengths[: len(figures)],
        np.stack(dictionaries, axis=-1),
        variances,
        l0,
        dead,
        kept if return_estimators else None,
    )


def _check_rows(estimator: BaseSAE, X: Any, X_test: Any) -> None:
    """Refuse, before anything is trained, rows that only a later strength would stumble on.

    Raises
    ------
    ValueError, TypeError
        If `X` is an iterator, or a stream that is to be measured on, or `X_test` has not rows like
        those of `X`.
    """
    if isinstance(X, Iterator):
        raise TypeError(
            "X is an iterator, whose rows are gone after the first strength; give something that "
            "can be iterated over again, or an array."
        )
    if X_test is None:
        if is_stream(X):
            raise ValueError("X is a stream, on which nothing can be measured; give X_test.")
        return
    probe = clone(estimator)
    validate_X(probe, X, reset=True)
    try:
        validate_rows(probe, X_test)
    except (ValueError, TypeError) as error:
        raise type(error)(f"X_test is not what it should be: {error}") from error


def check_path(estimator: Any, warm_length: int | float) -> None:
    """Refuse estimators that have no path.

    Raises
    ------
    ValueError, TypeError
        If there is something to refuse.
    """
    if not isinstance(estimator, BaseSAE) or not hasattr(estimator, "lambda_1"):
        raise TypeError(
            "estimator must be a sparse autoencoder with a parameter lambda_1, such as "
            f"AdaptiveElasticNetSAE; got one of type {type(estimator).__name__}."
        )
    for name in ("checkpoint_dir", "target_l0"):
        value = getattr(estimator, name, None)
        if value is not None:
            raise ValueError(
                f"estimator has {name}={value!r}, which cannot be used with several strengths "
                "lambda_1; set it to None."
            )
    check_param(warm_length, "warm_length", WARM_LENGTH)


def iter_path(
    estimator: BaseSAE, X: Any, lambdas: Iterable[float], warm_length: int | float
) -> Iterator[BaseSAE]:
    """Yield one fitted estimator after the other; the last one if the user stops its training."""
    seed = estimator.random_state
    if not isinstance(seed, Integral):
        seed = int(check_random_state(seed).randint(2**31 - 1))
    sae = clone(estimator).set_params(random_state=seed, warm_start=False)
    warm: dict[str, Any] = {}
    for lambda_1 in lambdas:
        # Nothing that a fit has learned is changed by the next: a copy shares it.
        sae = copy.copy(sae).set_params(lambda_1=float(lambda_1), **warm).fit(X)
        if not warm:
            whole = isinstance(warm_length, Integral)
            n_steps = int(warm_length) if whole else max(1, round(warm_length * sae.n_steps_))
            warm = {"warm_start": True, "max_steps": n_steps}
        yield sae
        if sae.net_.interrupted_:
            return


def measure(sae: BaseSAE, X: Any) -> Figures:
    """Measure a fitted estimator on rows, in blocks."""
    rows = validate_rows(sae, X)
    errors, statistics = ReconstructionStatistics(), CodeStatistics()
    for _, given, codes, reconstruction in iter_reconstructions(sae, rows):
        errors.update(given, as_stored(rows, reconstruction))
        statistics.update(codes.csr())
    return Figures(errors.explained_variance, statistics.l0, statistics.dead_share())
