"""What a language model loses when an estimator's reconstruction replaces its activations."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.utils import get_tags
from tqdm.auto import tqdm

from sklearn_aensae._warnings import warn
from sklearn_aensae.llm import LLMActivationTransformer
from sklearn_aensae.llm.extraction import extract
from sklearn_aensae.llm.loading import LanguageModel
from sklearn_aensae.llm.options import language_model, windows
from sklearn_aensae.llm.pooling import Floats
from sklearn_aensae.llm.splice import Edit, Losses, spliced_losses
from sklearn_aensae.llm.tokens import Window
from sklearn_aensae.llm.validation import check_params, check_texts

__all__ = ["LossRecovered", "loss_recovered"]


@dataclass(frozen=True)
class LossRecovered:
    """What :func:`loss_recovered` finds; all losses are in nats per predicted token."""

    recovered: float
    """``1 - ce_increase / (ce_mean_ablated - ce_clean)``: 1 for the loss of the untouched model, 0
    for that of the mean; NaN when the mean costs nothing."""

    recovered_zero: float
    """The same against zero ablation, which costs more in most models: closer to 1."""

    ce_increase: float
    """``ce_spliced - ce_clean``."""

    kl: float
    """Divergence KL(clean || spliced) of the next-token distributions."""

    ce_clean: float
    """Cross-entropy of the untouched model."""

    ce_spliced: float
    """Cross-entropy with reconstructions in place."""

    ce_mean_ablated: float
    """Cross-entropy with the mean in place."""

    ce_zero_ablated: float
    """Cross-entropy with zero in place."""

    n_tokens: int
    """Number of predicted tokens."""


def loss_recovered(
    model: Any,
    estimator: Any,
    texts: Any,
    layer: int | None = None,
    *,
    mean: ArrayLike | None = None,
    **options: Any,
) -> LossRecovered:
    r"""Measure how much of a model's next-token loss an estimator's reconstructions keep.

    At the output of block `layer`, each activation :math:`x` becomes :math:`\hat x =`
    ``estimator.reconstruct(x)`` (``inverse_transform(transform(x))`` for estimators without that
    method), and the model goes on from there:

    .. math:: \mathrm{recovered} = 1 -
        \frac{\mathrm{CE}(\hat x) - \mathrm{CE}(x)}{\mathrm{CE}(\bar x) - \mathrm{CE}(x)}.

    Replaced are the tokens of which `LLMActivationTransformer` gives rows; special tokens (and
    outliers, with `max_norm_ratio`) keep their activations. All tokens of a window but the first
    are predicted; a token in two overlapping windows counts once.

    Parameters
    ----------
    model : str, path, PreTrainedModel or LLMActivationTransformer
        A causal language model; of a transformer, the model and all its options.
    estimator : object with transform and inverse_transform
        Fitted, in the units of the activations. It is given ndarrays of shape (tokens,
        hidden_size), float32, and must treat rows one by one.
    texts : list, array or Series of str
        Texts, best ones that `estimator` was not fitted on.
    layer : int or None, default=None
        Index of the block; None is that of a transformer given as `model`.
    mean : array-like of shape (hidden_size,) or None, default=None
        What the mean ablation puts in place; None is the mean over `texts`.
    **options
        Parameters of `LLMActivationTransformer`: `max_length`, `packing`, `max_batch_tokens`, ...

    Returns
    -------
    result : LossRecovered
        The losses, their ratio and the divergence.

    Raises
    ------
    TypeError
        `model` is another estimator, such as a Pipeline.
    ValueError
        An option is not allowed, `layer` is missing, the model gives no next-token logits, there
        is no token to predict, or a reconstruction has another shape than what it reconstructs.

    Warns
    -----
    UserWarning
        If the estimator is trained on targets, as a :class:`~sklearn_aensae.Transcoder` is.

    Notes
    -----
    The sums run in float64 over all predicted tokens, so that the result does not depend on how
    they are batched. The model runs five times, once of them only up to `layer`.

    Examples
    --------
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_aensae.datasets import TINY_LM
    >>> from sklearn_aensae.llm import LLMActivationTransformer
    >>> from sklearn_aensae.metrics import loss_recovered
    >>> texts = ["def add(a, b):", "import os", "for i in range(10):"]
    >>> activations = LLMActivationTransformer(TINY_LM, layer=0)
    >>> pca = PCA().fit(activations.transform(texts))
    >>> result = loss_recovered(activations, pca, texts)
    >>> bool(result.ce_spliced < result.ce_mean_ablated)
    True
    """
    chosen = _options(model, layer, options)
    if _predicts_other_rows(estimator):
        warn(
            f"{type(estimator).__name__} is trained to predict targets, and here they take the "
            "place of its inputs: the result is of use only if both are of the same layer."
        )
    texts = check_texts(texts)
    causal = language_model(chosen, with_head=True)
    if causal.network.get_output_embeddings() is None:
        raise ValueError(
            f"{type(causal.network).__name__} predicts no tokens: give a causal language model."
        )
    groups = list(windows(chosen, causal).groups(texts))
    average = _mean_activation(chosen, causal, groups) if mean is None else _vector(mean, causal)
    # The divergence is that of the first.
    edits: dict[str, Edit] = {
        "spliced": lambda rows: _reconstruct(estimator, rows),
        "mean_ablated": lambda rows: np.broadcast_to(average, rows.shape),
        "zero_ablated": np.zeros_like,
    }
    shown = tqdm(groups, disable=not chosen.verbose, unit="window" if chosen.packing else "text")
    losses = spliced_losses(causal, shown, chosen.max_batch_tokens, chosen.max_norm_ratio, edits)
    return _summary(losses)


def _reconstruct(estimator: Any, rows: Floats) -> Any:
    """Return the estimator's reconstruction, with each row's own scale where it has such."""
    if hasattr(estimator, "reconstruct"):
        return estimator.reconstruct(rows)
    return estimator.inverse_transform(estimator.transform(rows))


def _predicts_other_rows(estimator: Any) -> bool:
    """Whether what an estimator reconstructs is not what it is given."""
    return hasattr(estimator, "__sklearn_tags__") and get_tags(estimator).target_tags.required


def _options(model: Any, layer: int | None, options: dict[str, Any]) -> LLMActivationTransformer:
    """Return the transformer whose rows are replaced."""
    if isinstance(model, LLMActivationTransformer):
        chosen: LLMActivationTransformer = clone(model)
        chosen.set_params(**options | ({} if layer is None else {"layer": layer}))
    elif isinstance(model, BaseEstimator):
        raise TypeError(
            "model must be a language model, its name or an LLMActivationTransformer; got a "
            f"{type(model).__name__}. Of a Pipeline, give the step that runs the model."
        )
    elif layer is None:
        raise ValueError("layer is missing: after which block does the estimator belong?")
    else:
        chosen = LLMActivationTransformer(model, layer, **options)
    check_params(chosen)
    if chosen.pooling != "tokens":
        raise ValueError(f"Tokens are replaced one by one: pooling={chosen.pooling!r} cannot be.")
    if not isinstance(chosen.layer, Integral):
        raise ValueError(
            f"Reconstructions replace the output of one block: layer={chosen.layer!r} must be one "
            "index; measure one layer after the other."
        )
    return chosen


def _mean_activation(
    options: LLMActivationTransformer, model: LanguageModel, groups: list[list[Window]]
) -> Floats:
    """Return the mean of all rows that the transformer gives for the windows."""
    total, n_rows = np.zeros(model.hidden_size), 0
    for chunk in extract(model, groups, options.max_batch_tokens, options.max_norm_ratio):
        total += chunk.rows.sum(axis=0, dtype=np.float64)
        n_rows += len(chunk.rows)
    if not n_rows:
        raise ValueError("The texts have only special or dropped tokens: there is no activation.")
    return np.asarray(total / n_rows, dtype=np.float32)


def _vector(mean: ArrayLike, model: LanguageModel) -> Floats:
    """Return the given mean, of the width of the residual stream."""
    vector = np.asarray(mean, dtype=np.float32)
    if vector.shape != (model.hidden_size,):
        raise ValueError(f"mean has shape {vector.shape}; it must have ({model.hidden_size},).")
    return vector


def _summary(losses: Losses) -> LossRecovered:
    """Divide the sums by the number of tokens, and compare."""
    n_tokens = losses.n_tokens
    if not n_tokens:
        raise ValueError("Every window has a single token: there is none to predict.")
    ce = {name: total / n_tokens for name, total in losses.cross_entropy.items()}
    increase = ce["spliced"] - ce["clean"]
    return LossRecovered(
        recovered=_recovered(increase, ce["mean_ablated"] - ce["clean"]),
        recovered_zero=_recovered(increase, ce["zero_ablated"] - ce["clean"]),
        ce_increase=increase,
        kl=losses.divergence / n_tokens,
        **{f"ce_{name}": value for name, value in ce.items()},
        n_tokens=n_tokens,
    )


def _recovered(increase: float, ablation: float) -> float:
    """Return the share of the ablation's cost that is not paid; NaN when it costs nothing."""
    return 1 - increase / ablation if ablation else float("nan")
