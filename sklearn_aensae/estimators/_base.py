"""The estimator surface that every sparse autoencoder shares."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from skorch.callbacks import Callback
from torch import Tensor, nn
from torch.optim import Optimizer

from sklearn_aensae._docs import splice
from sklearn_aensae._numbers import SEED
from sklearn_aensae.estimators import _fitting
from sklearn_aensae.estimators._domains import CALLBACKS, OPTIMIZER, PATH
from sklearn_aensae.estimators._files import PersistenceMixin
from sklearn_aensae.estimators._fitted import write_fitted
from sklearn_aensae.estimators._plan import Plan
from sklearn_aensae.estimators._refitting import RefittingMixin
from sklearn_aensae.estimators._transforming import TransformingMixin
from sklearn_aensae.estimators._validation import validate_X
from sklearn_aensae.kernels import PRECISIONS, Codes
from sklearn_aensae.modules import Autoencoder
from sklearn_aensae.modules.activations import Activation
from sklearn_aensae.modules.decoders import Decoder, LinearDecoder
from sklearn_aensae.modules.encoder import LinearEncoder
from sklearn_aensae.modules.initialization import INITIALIZATIONS
from sklearn_aensae.objective import Term
from sklearn_aensae.objective.reconstruction import MSE
from sklearn_aensae.params import DEVICE, AtLeast, Boolean, InRange, Length, OneOf, Size
from sklearn_aensae.sources import Source, as_source
from sklearn_aensae.sources.scaling import SCALINGS

__all__ = ["BaseSAE"]


@dataclass(eq=False, repr=False, kw_only=True)
class BaseSAE(
    TransformingMixin,
    RefittingMixin,
    PersistenceMixin,
    BaseEstimator,
    ABC,
):
    """Base class: a variant adds fields and overrides `_make_activation` and `_make_terms`.

    Parameters
    ----------
    {n_components}
    {shared_parameters}
    """

    n_components: Annotated[int | float, Size()] = field(default=8.0, kw_only=False)
    batch_size: Annotated[int, AtLeast(1)] = 256
    max_epochs: Annotated[int, AtLeast(1)] = 20
    max_steps: Annotated[int | None, AtLeast(1, optional=True)] = None
    learning_rate: Annotated[float, InRange(0, float("inf"), open_low=True, open_high=True)] = 1e-3
    lr_warmup: Annotated[int | float, Length()] = 0.05
    lr_decay: Annotated[int | float, Length()] = 0.2
    optimizer: Annotated[str | Callable[..., Optimizer], OPTIMIZER] = "adam"
    init: Annotated[str, OneOf(*INITIALIZATIONS)] = "data"
    input_scaling: Annotated[str | None, OneOf(*SCALINGS)] = "mean_norm"
    shuffle: Annotated[bool, Boolean()] = True
    validation_fraction: Annotated[float, InRange(0, 1, open_high=True)] = 0.0
    dead_window: Annotated[int | float, Size()] = 1.0
    log_interval: Annotated[int | float, Length(low=1)] = 0.01
    warm_start: Annotated[bool, Boolean()] = False
    checkpoint_dir: Annotated[str | os.PathLike[str] | None, PATH] = None
    checkpoint_interval: Annotated[int | float, Length(low=1)] = 0.05
    callbacks: Annotated[Sequence[Callback], CALLBACKS] = ()
    device: Annotated[str | torch.device, DEVICE] = "auto"
    dtype: Annotated[str, OneOf("float32", "float64")] = "float32"
    matmul_precision: Annotated[str, OneOf(*PRECISIONS)] = "highest"
    random_state: Annotated[int | np.random.RandomState | None, SEED] = None
    sparse_output: Annotated[bool, Boolean()] = False
    verbose: Annotated[bool, Boolean()] = False

    _may_whiten: ClassVar[bool] = True
    """Whether a matrix between the units of `X` and of training can be folded into what is fitted:
    the decoder is linear, atoms may have any norm, and what is reconstructed is the input."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__doc__ = splice(cls.__doc__)

    # What a variant overrides ------------------------------------------------------------

    @abstractmethod
    def _make_activation(self, plan: Plan) -> Activation:
        """Activation of pre-codes."""

    def _view_sizes(self, n_features: int) -> tuple[int, ...]:
        """Columns of each view, if `X` is several side by side that are scaled separately."""
        return ()

    def _make_encoder(self, plan: Plan) -> LinearEncoder:
        """Map from inputs to pre-codes."""
        return LinearEncoder(plan.n_features, plan.n_components)

    def _make_decoder(self, plan: Plan) -> Decoder:
        """Map from codes back to inputs."""
        return LinearDecoder(plan.n_outputs, plan.n_components)

    def _make_skip(self, plan: Plan) -> nn.Linear | None:
        """Map from inputs to outputs that does not pass through codes."""
        return None

    def _make_reconstruction(self, plan: Plan) -> Term:
        """Reconstruction error."""
        return MSE()

    def _make_terms(self, plan: Plan) -> dict[str, Term]:
        """Terms of the objective besides the reconstruction error, by name."""
        return {}

    def _make_dead_features(self, plan: Plan) -> dict[str, Term | Callback]:
        """Terms of the objective and callbacks that revive dead features, by name."""
        return {}

    def _make_callbacks(self, plan: Plan) -> list[tuple[str, Callback]]:
        """Named callbacks that the variant needs during training."""
        return []

    def _make_control(self, plan: Plan) -> nn.Module | None:
        """State of what drives the strength of a term in training, if anything does."""
        return None

    def _check_plan(self, plan: Plan) -> None:
        """Warn, as training begins, of parameters that do not go together."""

    def _encode_rows(self, module: Autoencoder, x: Tensor) -> Codes:
        """Codes of rows in the units of training."""
        return module.encode(x)

    def _asks_encoder(self) -> bool:
        """Whether codes are those of the encoder."""
        return True

    def _check_parameters(self) -> None:
        """Refuse, as training begins, parameters that do not go with each other."""

    def _check_source(self, source: Source) -> None:
        """Refuse, as `fit` begins, rows that do not go with a parameter."""

    def _polish(self, source: Source) -> None:
        """Improve what training has led to, on rows it has seen; called at the end of `fit`."""

    def _write_fitted(self) -> None:
        """Write fitted attributes; a variant adds its own."""
        write_fitted(self)

    def _make_source(
        self, X: Any, y: Any, device: str, dtype: torch.dtype, *, reset: bool
    ) -> Source:
        """Where training rows come from; a variant with targets joins them to the rows."""
        return as_source(validate_X(self, X, reset=reset), device, dtype)

    # What users call ---------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on `X`.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), or data larger than memory
            Rows, in any float type. An array or tensor stays where it is, on any device. Read in
            blocks, shuffled in a buffer of 256 MB and checked for NaN on the way are shards (a
            memmap, a list of arrays or memmaps, a path to a .npy file or to a folder of them,
            sorted by name, numbers as such) and streams (any other iterable of blocks, such as a
            generator). A stream needs `max_steps`; an iterator gives one pass, any other iterable
            as many as that takes. All count as one epoch, but a float `dead_window` as 1,000
            batches.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If `X` or a parameter is not what it should be; if `checkpoint_dir` holds checkpoints
            of another fit, or only damaged ones. A bad value in shards or a stream, and a stream
            that ends before `max_steps`, are noticed during training; the estimator then keeps
            what it has learned. FileNotFoundError for a path to nothing.
        DivergenceError
            If the loss is not finite; the weights of the last good log interval are kept.

        Warns
        -----
        TrainingInterruptedWarning
            If Ctrl-C ends training early; the estimator is fitted with what it has learned.
        UserWarning
            If reconstructions end far worse than the mean of `X`, or L0 a quarter off `target_l0`.
        CheckpointWarning
            If the newest checkpoint is damaged; the one before is used.
        """
        _fitting.fit(self, X, y)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train for one pass over `X`, a stream included, going on from where the last call ended.

        The first call initialises weights and scaling from its `X` and reads all parameters;
        later ones read `batch_size`, `shuffle` and `max_steps` only. Schedules given as shares
        refer to `max_steps`; set it to the planned total. A float `dead_window` counts 1,000
        batches as an epoch, as of a stream. After a `fit`, training goes on with the undiminished
        learning rate, up to `max_steps` in all: None lets it go on for ever.

        Parameters
        ----------
        X : array-like or Tensor of shape (n_samples, n_features), or data larger than memory
            As in `fit`; a stream does not need `max_steps`.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError, TypeError, DivergenceError
            As in `fit`; also if a callback, of an earlier `fit` included, monitors rows held out.
        """
        _fitting.partial_fit(self, X, y)
        return self

    @property
    def _n_features_out(self) -> int:
        """Number of output features, for `get_feature_names_out`."""
        return int(self.n_components_)

    def __sklearn_is_fitted__(self) -> bool:
        """Whether the estimator can encode."""
        return hasattr(self, "components_")

    def __sklearn_tags__(self) -> Tags:
        """Return scikit-learn's tags: float types are kept."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32", "float16"]
        return tags
