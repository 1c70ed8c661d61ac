"""The strength of the penalty chosen by cross-validation along paths."""

from numbers import Integral
from typing import Any, Self

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import check_scoring
from sklearn.metrics._scorer import _BaseScorer
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state

from sklearn_aensae._numbers import SEED
from sklearn_aensae.estimators import AdaptiveElasticNetSAE, BaseSAE
from sklearn_aensae.estimators._fitting import unchanged_if_refused
from sklearn_aensae.estimators._many_validation import take_over_inputs
from sklearn_aensae.estimators._validation import validate_X
from sklearn_aensae.metrics import SCORERS
from sklearn_aensae.model_selection._delegating import DelegatingMixin
from sklearn_aensae.model_selection._folds import choose, judge_path
from sklearn_aensae.model_selection._path import check_path, iter_path
from sklearn_aensae.model_selection._strengths import as_strengths
from sklearn_aensae.params import InRange, Where, check_param
from sklearn_aensae.sources import Shards, Stream

__all__ = ["AdaptiveElasticNetSAECV"]

Floats = NDArray[np.float64]


def _is_penalty(value: Any) -> bool:
    """Whether `value` is what `lambda_2` may be."""
    if value is None:
        return True
    try:
        array = np.asarray(value)
    except ValueError:  # of rows that differ in length
        return False
    is_list = array.ndim <= 1 and array.size > 0 and array.dtype.kind in "iuf"
    return is_list and bool(((array >= 0) & np.isfinite(array)).all())


MAX_L0 = InRange(0, np.inf, open_low=True, open_high=True, optional=True)
LAMBDA_2 = Where("a number >= 0, a list of such numbers or None", _is_penalty)
SCORING = Where(
    f"None, a callable (estimator, X) or one of {', '.join(sorted(SCORERS))}",
    lambda value: value is None or isinstance(value, str) or callable(value),
)


class AdaptiveElasticNetSAECV(DelegatingMixin, BaseEstimator):
    """Sparse autoencoder whose penalty is chosen by cross-validation along paths.

    What :class:`sklearn.linear_model.ElasticNetCV` is to an elastic net: in each fold, a path
    (:func:`~sklearn_aensae.sae_path`) is trained on one part of the rows and measured on the other.
    Then the path is trained on all rows, up to the chosen strength, as in the folds. All fits have
    the same seed, so that rows of a fold come in one order for all strengths.

    Explained variance alone always prefers the weakest penalty. With `max_l0`, the best
    one is taken among strengths that leave no more active codes than that. Without it,
    the sparsest is taken among those whose explained variance is within one standard error of the
    best: little is lost, but how sparse that is depends on the data.

    Parameters
    ----------
    estimator : BaseSAE with a parameter lambda_1, default=None
        What is fitted, for each strength; it stays as it is. None is ``AdaptiveElasticNetSAE()``.
    lambdas : int or array-like of shape (n_lambdas,), default=8
        Strengths `lambda_1` in the order of training, or how many there are to be; let them grow.
    eps : float, default=0.01
        Ratio of the weakest to the strength at which no code is active, if their number is given.
    lambda_2 : float, array-like of shape (n_lambdas_2,) or None, default=None
        Strengths of the squared L2 penalty: each has a path of its own. None keeps that of the
        estimator.
    max_l0 : float or None, default=None
        Largest mean number of active codes per held-out row.
    scoring : str, callable or None, default=None
        Takes the place of explained variance, and is maximised: a scorer
        ``scorer(estimator, X)``, or the name of one in `sklearn_aensae.metrics.SCORERS`.
    warm_length : int or float, default=0.3
        Length of all fits of a path but the first: steps (int), or a share of the first (float).
    cv : int, cross-validation generator or iterable, default=3
        Folds; an int takes neighbouring rows as one fold, as they are often parts of one document.
    n_jobs : int or None, default=None
        Paths that are trained at a time, in processes of their own; None for 1 unless in a
        :obj:`joblib.parallel_backend` context. Use 1 with a GPU.
    random_state : int, RandomState instance or None, default=None
        Seed of all fits; None takes that of the estimator.

    Attributes
    ----------
    lambda_1_ : float
        Chosen strength.
    lambda_2_ : float or None
        Chosen strength of the squared L2 penalty; None if the estimator has none.
    lambdas_ : ndarray of shape (n_lambdas,)
        Strengths of the paths.
    ev_path_, l0_path_, dead_share_path_ : ndarray of shape (n_lambdas, n_folds)
        Explained variance, mean number of active codes per row, and share of components that are
        silent, on held-out rows; of shape (n_lambdas_2, n_lambdas, n_folds) if `lambda_2` is a
        list.
    score_path_ : ndarray of the same shape
        What was maximised: explained variance, or `scoring`.
    best_score_ : float
        Its mean over the folds at the chosen strength.
    best_estimator_ : BaseSAE
        Fitted on all rows; it encodes.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if `X` had any.

    See Also
    --------
    sae_path : One path, without folds.
    sklearn_aensae.metrics.best_explained_variance_at_l0 : The same rule for GridSearchCV.

    References
    ----------
    Hastie, Tibshirani and Friedman (2009). The Elements of Statistical Learning, section 7.10.1,
    for the rule of one standard error.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_aensae import AdaptiveElasticNetSAE, AdaptiveElasticNetSAECV
    >>> X = load_digits().data[:600]
    >>> sae = AdaptiveElasticNetSAE(64, batch_size=32, max_epochs=10, random_state=0)
    >>> search = AdaptiveElasticNetSAECV(sae, lambdas=[0.01, 0.03, 0.1], max_l0=20, cv=2)
    >>> search.fit(X).transform(X).shape
    (600, 64)
    >>> search.lambda_1_, search.l0_path_.shape
    (0.03, (3, 2))
    """

    def __init__(
        self,
        estimator: BaseSAE | None = None,
        *,
        lambdas: Any = 8,
        eps: float = 0.01,
        lambda_2: Any = None,
        max_l0: float | None = None,
        scoring: Any = None,
        warm_length: int | float = 0.3,
        cv: Any = 3,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.lambdas = lambdas
        self.eps = eps
        self.lambda_2 = lambda_2
        self.max_l0 = max_l0
        self.scoring = scoring
        self.warm_length = warm_length
        self.cv = cv
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, *, groups: Any = None) -> Self:
        """Choose a strength, and train with it.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), memmap, shards or path
            Rows. What is on disk is read into memory, as folds may be any rows; no stream.
        y : array-like of shape (n_samples,) or None
            For splitters that stratify, otherwise ignored.
        groups : array-like of shape (n_samples,) or None
            For splitters that keep groups together, such as the tokens of a document, with
            ``cv=GroupKFold()``. In a pipeline, `groups` of the step.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If `X` or a parameter is not what it should be, or no strength has a score in all folds.
            An earlier fit then stays whole.
        DivergenceError
            If a loss is not finite.
        KeyboardInterrupt
            On Ctrl-C before the chosen strength is reached: there is no estimator yet.

        Warns
        -----
        UserWarning
            If no strength reaches `max_l0`, and the sparsest is taken; if `scoring` gave NaN for
            some strengths, and they are passed over.
        TrainingInterruptedWarning
            If Ctrl-C ends the very last training early; the estimator is fitted all the same.
        """
        with unchanged_if_refused(self):
            return self._search(X, y, groups)

    def _search(self, X: Any, y: Any, groups: Any) -> Self:
        """Judge all candidates in all folds, choose, and train."""
        rows = validate_X(self, X, reset=True)
        if isinstance(rows, Stream):
            raise ValueError("X is a stream, whose rows cannot be held out in turn; give an array.")
        rows = rows[:] if isinstance(rows, Shards) else rows
        candidates = self._make_candidates()
        scorer = self._check_scoring(candidates[0])
        self.lambdas_ = as_strengths(self.lambdas, self.eps, candidates[0], rows)
        splitter = check_cv(self.cv, y, classifier=False)
        folds = list(splitter.split(np.empty((len(rows), 1)), y, groups))
        if not folds:
            raise ValueError(f"cv must give at least one fold; got {self.cv!r}.")
        judged = Parallel(n_jobs=self.n_jobs)(
            delayed(judge_path)(sae, rows, fold, self.lambdas_, self.warm_length, scorer)
            for sae in candidates
            for fold in folds
        )
        figures = np.reshape(judged, (len(candidates), len(folds), 4, len(self.lambdas_)))
        return self._choose(candidates, rows, figures.transpose(2, 0, 3, 1))

    def _make_candidates(self) -> list[BaseSAE]:
        """One unfitted estimator per strength of the squared L2 penalty, all with one seed."""
        sae = AdaptiveElasticNetSAE() if self.estimator is None else self.estimator
        check_path(sae, self.warm_length)
        check_param(self.random_state, "random_state", SEED)
        check_param(self.lambda_2, "lambda_2", LAMBDA_2)
        if self.lambda_2 is not None and not hasattr(sae, "lambda_2"):
            raise ValueError(
                f"lambda_2 must be None, as {type(sae).__name__} has no such parameter; got "
                f"{self.lambda_2!r}."
            )
        sae = clone(sae)
        seed = sae.random_state if self.random_state is None else self.random_state
        if not isinstance(seed, Integral):
            seed = int(check_random_state(seed).randint(2**31 - 1))
        sae.set_params(random_state=seed)
        if self.lambda_2 is None:
            return [sae]
        strengths = np.atleast_1d(np.asarray(self.lambda_2, dtype=np.float64))
        return [clone(sae).set_params(lambda_2=float(strength)) for strength in strengths]

    def _check_scoring(self, sae: BaseSAE) -> Any:
        """Refuse what would only be noticed after hours of training."""
        check_param(self.max_l0, "max_l0", MAX_L0)
        check_param(self.scoring, "scoring", SCORING)
        if isinstance(self.scoring, str) and self.scoring in SCORERS:
            return SCORERS[self.scoring]
        if self.scoring is None:
            return None
        scorer = check_scoring(sae, self.scoring)
        if isinstance(scorer, _BaseScorer):
            raise ValueError(
                f"scoring must be {SCORING.describe()}; got {self.scoring!r}, which compares "
                "predictions with targets, and there are none here."
            )
        return scorer

    def _choose(self, candidates: list[BaseSAE], rows: Any, figures: Floats) -> Self:
        """Write down what the folds have shown, choose, and train on all rows."""
        n_folds = figures.shape[-1]
        scores, l0 = (part.reshape(-1, n_folds) for part in (figures[3], figures[1]))
        best = choose(scores, l0, self.max_l0, self.scoring is not None)
        row, column = divmod(best, len(self.lambdas_))
        self.best_score_ = float(scores[best].mean())
        shown = figures if np.ndim(self.lambda_2) else figures[:, 0]
        self.ev_path_, self.l0_path_, self.dead_share_path_, self.score_path_ = shown
        self.lambda_1_ = float(self.lambdas_[column])
        self.lambda_2_ = getattr(candidates[row], "lambda_2", None)
        path = self.lambdas_[: column + 1]
        *_, best_estimator = iter_path(candidates[row], rows, path, self.warm_length)
        if best_estimator.lambda_1 != self.lambda_1_:
            raise KeyboardInterrupt
        take_over_inputs(best_estimator, self)
        # The length of a path's last fit is no parameter that a clone should inherit.
        given = candidates[row]
        best_estimator.set_params(max_steps=given.max_steps, warm_start=given.warm_start)
        self.best_estimator_ = best_estimator
        return self
