"""What estimators share whose codes reconstruct something else than their input."""

from typing import Any, ClassVar, Self

import torch
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from sklearn_aensae.estimators import _coding
from sklearn_aensae.estimators._base import BaseSAE
from sklearn_aensae.estimators._target_validation import validate_pair, validate_targets
from sklearn_aensae.estimators._validation import Data, validate_rows
from sklearn_aensae.sources import Source, as_paired_source

__all__ = ["TargetedSAE"]


class TargetedSAE(BaseSAE):
    """Adds targets: `fit(X, y)`, `predict` and `score(X, y)`."""

    _may_whiten: ClassVar[bool] = False

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train codes of `X` to reconstruct `y`.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), or data larger than memory
            Rows; anything that other estimators of the library take. In the place of both, an
            iterable of pairs (x, y) of blocks: a generator, or ``zip`` of two; that needs
            `max_steps`.
        y : array-like or Tensor of shape (n_samples, n_targets), or data larger than memory
            Targets of these rows; one dimension is one column. Memmaps, lists of arrays and paths
            mix with arrays in memory.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If `X`, `y` or a parameter is not what it should be, or the lengths differ.
        DivergenceError
            If the loss is not finite; the weights of the last good log interval are kept.

        Warns
        -----
        TrainingInterruptedWarning
            If Ctrl-C ends training early; the estimator is fitted with what it has learned.
        CheckpointWarning
            If the newest checkpoint is damaged; the one before is used.
        """
        return super().fit(X, y)

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train for one pass over `X` and `y`, going on from where the last call ended.

        As in other estimators; the first call takes initial weights and scaling from its data.

        Parameters
        ----------
        X, y : as in `fit`
            Rows and targets, or a stream of pairs, which does not need `max_steps` here.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError, TypeError, DivergenceError
            As in `fit`.
        """
        return super().partial_fit(X, y)

    def inverse_transform(self, codes: Any) -> Data:
        """Decode codes into targets: this does not lead back to the rows that they came from.

        What codes do not hold is left out: the `skip` of a :class:`Transcoder` and, with
        `input_scaling="sample_norm"`, the norm of a row, in whose place is the mean norm. `predict`
        is exact.

        Parameters
        ----------
        codes : array-like, CSR array or Tensor of shape (n_samples, n_components)
            Codes as `transform` returns them.

        Returns
        -------
        y : ndarray or Tensor of shape (n_samples, n_targets)
            In the units of the targets.
        """
        return super().inverse_transform(codes)

    def predict(self, X: Any) -> Data:
        """Reconstruct the targets of rows; `reconstruct` is the same.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), memmap, shards or path
            Rows; read in blocks as in `fit`, but in their own order. No stream.

        Returns
        -------
        y : ndarray or Tensor of shape (n_samples, n_targets)
            In the units of the targets, of the kind and float type of `X`; one column for
            targets of one dimension, too.
        """
        return self.reconstruct(X)

    def score(self, X: Any, y: Any = None) -> float:
        """Explained variance of `predict(X)`, against the column means of `y`.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), memmap, shards or path
            Rows.
        y : array-like or Tensor of shape (n_samples, n_targets), memmap, shards or path
            Their targets.

        Returns
        -------
        float
            1 for a perfect reconstruction, 0 for one no better than the mean.
        """
        check_is_fitted(self)
        X = validate_rows(self, X)
        y = validate_targets(self, y, len(X), reset=False)
        return _coding.explained_variance(self, X, y)

    def _make_source(
        self, X: Any, y: Any, device: str, dtype: torch.dtype, *, reset: bool
    ) -> Source:
        return as_paired_source(*validate_pair(self, X, y, reset=reset), device, dtype)

    def _write_fitted(self) -> None:
        super()._write_fitted()
        self.target_scale_ = self._scaling.factor * self._scaling.target_factor

    def __sklearn_tags__(self) -> Tags:
        """Return scikit-learn's tags: `fit` needs targets, one or more for each row."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = tags.target_tags.multi_output = True
        return tags
