"""Leaves what a fitted autoencoder can do to the best one that was found."""

from typing import Any

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_aensae.estimators import BaseSAE
from sklearn_aensae.estimators._validation import refuse_frames

__all__ = ["DelegatingMixin"]


def _can_encode(search: Any) -> bool:
    """Whether what is searched for has codes by more than one method."""
    return search.estimator is None or hasattr(search.estimator, "encode")


class DelegatingMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Adds what `best_estimator_` has for rows and for codes."""

    best_estimator_: BaseSAE

    def transform(self, X: Any, features: Any = None) -> Any:
        """Encode rows, as `best_estimator_` does.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), memmap, shards or path
            Rows.
        features : array-like of int or of bool, or None, default=None
            Components to return; None for all.

        Returns
        -------
        codes : ndarray, Tensor or csr_array of shape (n_samples, n_components)
            Non-negative, in the units of `X`.
        """
        check_is_fitted(self, "best_estimator_")
        if features is not None:
            refuse_frames(self)
        return self.best_estimator_.transform(X, features)

    # scikit-learn gives its decorators no types.
    @available_if(_can_encode)  # type: ignore[untyped-decorator]
    def encode(self, X: Any, method: str | None = None) -> Any:
        """Encode rows by a method of one's choice, as `best_estimator_` does.

        For estimators with exact codes, such as :class:`AdaptiveElasticNetSAE`.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), memmap, shards or path
            Rows.
        method : {"encoder", "exact"} or None, default=None
            None is the estimator's `transform_method`.

        Returns
        -------
        codes : ndarray, Tensor or csr_array of shape (n_samples, n_components)
            As `transform` returns them.
        """
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_.encode(X, method)

    def inverse_transform(self, codes: Any) -> Any:
        """Decode codes, as `best_estimator_` does.

        Parameters
        ----------
        codes : array-like, CSR array or Tensor of shape (n_samples, n_components)
            Codes as `transform` returns them.

        Returns
        -------
        X : ndarray or Tensor of shape (n_samples, n_features)
            In the units of the training data.
        """
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_.inverse_transform(codes)

    def reconstruct(self, X: Any) -> Any:
        """Encode and decode rows, as `best_estimator_` does.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), memmap, shards or path
            Rows.

        Returns
        -------
        X_reconstructed : ndarray or Tensor of shape (n_samples, n_features)
            Of the kind and float type of `X`.
        """
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_.reconstruct(X)

    def score(self, X: Any, y: Any = None) -> float:
        """Explained variance of the reconstruction, against the column means of `X`.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), memmap, shards or path
            Rows.
        y : None
            Ignored.

        Returns
        -------
        float
            1 for a perfect reconstruction, 0 for one no better than the mean.
        """
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_.score(X)

    @property
    def _n_features_out(self) -> int:
        """Number of output features, for `get_feature_names_out`."""
        return int(self.best_estimator_.n_components_)

    def __sklearn_tags__(self) -> Tags:
        """Return scikit-learn's tags: float types are kept."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32", "float16"]
        return tags
