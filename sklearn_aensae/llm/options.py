"""The transformer's parameters, read into a language model and into windows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sklearn_aensae.llm.loading import LanguageModel
from sklearn_aensae.llm.tokens import Windows, special_ids, surrounding_tokens


def language_model(options: Any, *, with_head: bool = False) -> LanguageModel:
    """Describe the model that `options`, an LLMActivationTransformer, names; load nothing."""
    return LanguageModel(
        source=options.model,
        layers=layers(options.layer),
        tokenizer_source=options.tokenizer,
        block_path=options.block_path,
        dtype=options.dtype,
        device=options.device,
        trust_remote_code=options.trust_remote_code,
        revision=options.revision,
        with_head=with_head,
        verbose=options.verbose,
    )


def layers(layer: Any) -> tuple[int, ...]:
    """Return the indices that `layer`, one or several, names."""
    return tuple(layer) if isinstance(layer, Iterable) else (layer,)


def windows(options: Any, model: LanguageModel) -> Windows:
    """Describe how `options` cut texts into windows for `model`; needs no weights."""
    prefix, suffix = surrounding_tokens(model.tokenizer, options.add_bos)
    return Windows(
        tokenizer=model.tokenizer,
        prefix=prefix,
        suffix=suffix,
        excluded=special_ids(model.tokenizer) if options.exclude_special_tokens else [],
        max_length=_max_length(options.max_length, model),
        long_texts=options.long_texts,
        stride=options.stride,
        packing=options.packing,
    )


def _max_length(asked: int | None, model: LanguageModel) -> int | None:
    """Return the length of a window, which is within the positions that the model has."""
    if asked is None:
        return model.context
    if model.n_positions is not None and asked > model.n_positions:
        raise ValueError(
            f"max_length={asked} is above the model's context of {model.n_positions} tokens."
        )
    return asked
