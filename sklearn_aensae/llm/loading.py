"""From the name of a language model to its weights, tokenizer and blocks, each when asked."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import nn

from sklearn_aensae._devices import resolve_device
from sklearn_aensae._warnings import warn
from sklearn_aensae.llm.blocks import check_layers, find_blocks
from sklearn_aensae.llm.errors import explained

# Families whose first blocks are the same whatever follows them (tested on each). Not all are:
# Gemma 3n's last blocks reuse keys and values, and which blocks are last depends on their number.
_TRUNCATABLE = frozenset(
    {"gemma", "gemma2", "gemma3_text", "gpt2", "gpt_neox", "llama", "mistral", "qwen2", "qwen3"}
)

# Families that count positions from behind the padding's id.
_POSITIONS_AFTER_PADDING = frozenset(
    {
        "camembert", "data2vec-text", "ibert", "longformer", "mpnet", "roberta",
        "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl",
    }
)  # fmt: skip


@dataclass(frozen=True)
class LanguageModel:
    """A language model by name or by reference; equal fields mean the same loaded model."""

    source: Any
    layers: tuple[int, ...]
    tokenizer_source: Any = None
    block_path: str | None = None
    dtype: str | None = None
    device: str | torch.device = "auto"
    trust_remote_code: bool = False
    revision: str | None = None
    with_head: bool = False  # the next-token logits are needed, and so are all the blocks
    verbose: bool = field(default=False, compare=False)

    @cached_property
    def config(self) -> Any:
        """The model's config."""
        if isinstance(self.source, nn.Module):
            return self.source.config
        return self._load(_transformers().AutoConfig, self.source)

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer: as given, by its own name, or by the model's."""
        source = self.tokenizer_source
        if source is None:
            source = getattr(self.source, "name_or_path", self.source)
        if source == "":
            raise ValueError("The loaded model does not know its name: pass tokenizer.")
        if isinstance(source, str | os.PathLike):
            return self._load(_transformers().AutoTokenizer, source)
        return source

    @cached_property
    def network(self) -> Any:
        """The model itself; by name, without the blocks after `layers` where that is safe."""
        return self._network_and_blocks[0]

    @property
    def blocks(self) -> list[nn.Module]:
        """The blocks whose outputs are the residual stream after `layers`, in their order."""
        return self._network_and_blocks[1]

    @property
    def block(self) -> nn.Module:
        """The one block of a model with one layer."""
        (block,) = self.blocks
        return block

    @cached_property
    def _network_and_blocks(self) -> tuple[Any, list[nn.Module]]:
        """Load the weights, then find the blocks."""
        if isinstance(self.source, nn.Module):
            blocks = find_blocks(self.source, self.block_path)
            return self.source, [blocks[i] for i in check_layers(self.layers, len(blocks))]
        # A copy: should loading fail, the next try begins with all blocks again.
        config, n_blocks = copy.deepcopy(self.config), None
        known = config.model_type in _TRUNCATABLE and self.block_path is None
        if known and not self.with_head:
            text_config = config.get_text_config()
            n_blocks = text_config.num_hidden_layers
            text_config.num_hidden_layers = max(check_layers(self.layers, n_blocks)) + 1
        network = self._load_weights(config)
        blocks = find_blocks(network, self.block_path)
        return network, [blocks[i] for i in check_layers(self.layers, n_blocks or len(blocks))]

    def _load_weights(self, config: Any) -> Any:
        """Load the weights on the device, and warn of those that the checkpoint lacks."""
        device = resolve_device(self.device)
        library = _transformers()
        auto = library.AutoModelForCausalLM if self.with_head else library.AutoModel
        with _quiet(enabled=not self.verbose):
            network, report = self._load(
                auto,
                self.source,
                config=config,
                dtype=self.dtype or "auto",
                output_loading_info=True,
            )
        if report["missing_keys"]:
            warn(
                f"The checkpoint {self.source!r} has no weights for "
                f"{sorted(report['missing_keys'])}: these are random.",
            )
        return network.to(device)

    def _load(self, auto: Any, source: Any, **options: Any) -> Any:
        """Call `auto`'s ``from_pretrained``, and explain its failure."""
        name = resolve_name(source)
        with explained(name, self.revision):
            return auto.from_pretrained(
                name,
                revision=self.revision,
                trust_remote_code=self.trust_remote_code,
                **options,
            )

    @cached_property
    def hidden_size(self) -> int:
        """Width of the residual stream."""
        return int(self.config.get_text_config().hidden_size)

    @cached_property
    def vocab_size(self) -> int:
        """Number of token ids that the model knows."""
        return int(self.config.get_text_config().vocab_size)

    @property
    def n_positions(self) -> int | None:
        """Longest sequence in tokens that the model was made for; None if it does not say."""
        config = self.config.get_text_config()
        limit: int | None = getattr(config, "max_position_embeddings", None)
        if limit is None or limit < 1:
            return None
        if config.model_type in _POSITIONS_AFTER_PADDING:
            limit -= config.pad_token_id + 1
        return limit

    @property
    def context(self) -> int | None:
        """Longest sequence in tokens that both model and tokenizer were made for."""
        limits = (self.n_positions, self.tokenizer.model_max_length)
        # Tokenizers without a limit say 1e30.
        return min((n for n in limits if n is not None and n < 1e9), default=None)

    @cached_property
    def pad_id(self) -> int:
        """The id that fills a batch; any will do where the attention mask hides it."""
        own = getattr(self.config.get_text_config(), "pad_token_id", None)
        candidates = (own, self.tokenizer.pad_token_id, 0)
        # Not `or`: the id 0 is a valid pad. One without an embedding is not, masked or not.
        known = (int(pad) for pad in candidates if pad is not None)
        return next(pad for pad in known if 0 <= pad < self.vocab_size)


def resolve_name(source: Any) -> str:
    """Return the folder or hub name to load from; the model in this package is a folder."""
    from sklearn_aensae.datasets.tiny_lm import TINY_LM, tiny_lm_path

    name = os.fspath(source)
    return str(tiny_lm_path()) if name == TINY_LM else str(name)


def _transformers() -> Any:
    """Import transformers, or say how to get it."""
    try:
        import transformers
    except ImportError as error:
        raise ImportError(
            "LLMActivationTransformer needs transformers: pip install 'sklearn-aensae[llm]'"
        ) from error
    return transformers


@contextmanager
def _quiet(*, enabled: bool) -> Iterator[None]:
    """Silence the bars and the report of unused weights, which a truncated load always makes."""
    from transformers.utils import logging

    library: Any = logging  # it has no types
    verbosity, bars = library.get_verbosity(), library.is_progress_bar_enabled()
    if enabled:
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        yield
    finally:
        library.set_verbosity(verbosity)
        if bars:
            library.enable_progress_bar()
