"""What a fitted autoencoder does with rows and codes."""

from typing import TYPE_CHECKING, Any, cast

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sklearn_aensae.estimators import _coding
from sklearn_aensae.estimators._validation import (
    Data,
    validate_codes,
    validate_features,
    validate_rows,
)
from sklearn_aensae.sources import is_stream

if TYPE_CHECKING:
    from sklearn_aensae.estimators._base import BaseSAE

__all__ = ["TransformingMixin"]


class TransformingMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Adds `transform`, `inverse_transform`, `reconstruct` and `score`."""

    n_components_: int

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Train on `X` and return its codes: `fit(X, y).transform(X)`.

        Parameters
        ----------
        X, y : as in `fit`
            Rows that can be read twice: no stream.
        **fit_params : dict
            Passed to `fit`.

        Returns
        -------
        codes : ndarray, Tensor or csr_array of shape (n_samples, n_components)
            As `transform` returns them.

        Raises
        ------
        ValueError, TypeError
            As in `fit`; if `X` is a stream.
        """
        if is_stream(X):
            raise ValueError(
                "X is a stream, which fit_transform would have to read twice; call fit, then "
                "transform on its blocks."
            )
        return super().fit_transform(X, y, **fit_params)

    def transform(self, X: Any, features: Any = None) -> Any:
        """Encode rows as sparse codes, each row independently of the others.

        Memory follows the result: with `sparse_output=True` the number of active codes.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), memmap, shards or path
            Rows; read in blocks as in `fit`, but in their own order. No stream.
        features : array-like of int or of bool, or None, default=None
            Components to return, by index in the order given, or by a mask; None for all. Where
            a code depends on its own component only (ReLU), nothing else is computed.

        Returns
        -------
        codes : ndarray, Tensor or csr_array of shape (n_samples, n_components)
            Non-negative, in the units of `X` and its float type. A tensor for a tensor, on its
            device; CSR with `sparse_output=True` (float16 becomes float32 there, as SciPy knows
            no sparse half precision). With `features`, it has a column for each of them.

        Raises
        ------
        ValueError
            If `X` does not fit the fitted data, or `features` is no choice of components.
        """
        check_is_fitted(self)
        asked = None if features is None else validate_features(self, features)
        return _coding.encode(cast("BaseSAE", self), validate_rows(self, X), asked)

    def inverse_transform(self, codes: Any) -> Data:
        """Decode codes.

        With `input_scaling="sample_norm"` the norm of a row is not in its code, so the decoder
        bias is added at the mean norm; `reconstruct` is exact.

        Parameters
        ----------
        codes : array-like, CSR array or Tensor of shape (n_samples, n_components)
            Codes as `transform` returns them.

        Returns
        -------
        X : ndarray or Tensor of shape (n_samples, n_features)
            In the units of the training data.
        """
        check_is_fitted(self)
        return _coding.decode(cast("BaseSAE", self), validate_codes(codes, self.n_components_))

    def reconstruct(self, X: Any) -> Data:
        """Encode and decode rows, each in its own scale.

        This is `inverse_transform(transform(X))`, without keeping the codes, and with what they do
        not hold: norms with `input_scaling="sample_norm"`, the `skip` of a :class:`Transcoder`.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), memmap, shards or path
            Rows; read in blocks as in `fit`, but in their own order. No stream.

        Returns
        -------
        X_reconstructed : ndarray or Tensor of shape (n_samples, n_features)
            Of the kind and float type of `X`.
        """
        check_is_fitted(self)
        return _coding.reconstruct(cast("BaseSAE", self), validate_rows(self, X))

    def score(self, X: Any, y: Any = None) -> float:
        """Explained variance of the reconstruction, against the column means of `X`.

        That of `reconstruct(X)`, in the float type of `X`, without keeping it.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), memmap, shards or path
            Rows; read in blocks as in `fit`, but in their own order. No stream.
        y : None
            Ignored.

        Returns
        -------
        float
            1 for a perfect reconstruction, 0 for one no better than the mean.
        """
        check_is_fitted(self)
        return _coding.explained_variance(cast("BaseSAE", self), validate_rows(self, X))
