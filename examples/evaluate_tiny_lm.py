"""Measure the language model that ships with the package, on modules that it has never seen.

    python examples/evaluate_tiny_lm.py

prints its held-out bits per byte, those of unigram and bigram models of the same tokens, and what
it costs to replace the output of each block by its mean. The model card quotes these numbers.
"""

import json
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Threads that spin at every barrier take four times as long where the cores are shared.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm
from transformers import GPTNeoXForCausalLM, PreTrainedTokenizerBase

from sklearn_aensae.datasets import load_stdlib_texts, load_tiny_lm


def encode(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> Tensor:
    """Join the texts to one stream of tokens, with an end of text before each."""
    encodings = tokenizer.backend_tokenizer.encode_batch(texts)
    return torch.tensor([token for text in encodings for token in (0, *text.ids)])


def evaluate(model: GPTNeoXForCausalLM, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Return held-out losses of the model and its baselines, and the costs of mean ablation."""
    texts = load_stdlib_texts("test")
    n_bytes = sum(len(text.encode()) for text in texts)
    train, held_out = encode(tokenizer, load_stdlib_texts("train")), encode(tokenizer, texts)
    nats = {"model": cross_entropy(model, held_out), **ngram_cross_entropies(train, held_out)}
    bits = len(held_out) / n_bytes / math.log(2)
    return {
        "held_out_modules": len(texts),
        "held_out_bytes": n_bytes,
        "held_out_tokens": len(held_out),
        "nats_per_token": nats,
        "bits_per_byte": {name: bits * value for name, value in nats.items()},
        "mean_ablation_cost_nats": mean_ablation_costs(model, held_out, nats["model"]),
    }


@torch.inference_mode()
def cross_entropy(model: GPTNeoXForCausalLM, stream: Tensor) -> float:
    """Return nats per token, every token but the first predicted once, in separate windows."""
    total, batches = 0.0, _windows(stream, model.config.max_position_embeddings)
    for inputs, targets in tqdm(batches, desc="evaluate", leave=False):
        logits = model(inputs, use_cache=False).logits.flatten(0, 1)
        total += functional.cross_entropy(logits, targets.flatten(), reduction="sum").item()
    return total / (len(stream) - 1)


def mean_ablation_costs(model: GPTNeoXForCausalLM, stream: Tensor, clean: float) -> list[float]:
    """Return the rise in nats per token when each block's output in turn becomes its mean."""
    return [_ablated_cross_entropy(model, block, stream) - clean for block in model.gpt_neox.layers]


def ngram_cross_entropies(train: Tensor, held_out: Tensor) -> dict[str, float]:
    r"""Return nats per token of unigrams (add-one) and of bigrams smoothed by them.

    .. math:: p(b \mid a) = (n_{ab} + \mu p(b)) / (n_a + \mu),

    where the power of two :math:`\mu` is the best for these held-out tokens themselves.
    """
    size = int(train.max()) + 1
    counts = torch.bincount(train, minlength=size).double()
    unigram = (counts + 1) / (counts.sum() + size)
    pairs = torch.bincount(train[:-1] * size + train[1:], minlength=size**2)
    first, second = held_out[:-1], held_out[1:]
    seen = pairs[first * size + second].double()
    bigrams = [
        (seen + mu * unigram[second]) / (counts[first] + mu) for mu in 2.0 ** torch.arange(12)
    ]
    return {
        "unigram": -unigram[second].log().mean().item(),
        "bigram": min(-bigram.log().mean().item() for bigram in bigrams),
    }


def _ablated_cross_entropy(model: GPTNeoXForCausalLM, block: nn.Module, stream: Tensor) -> float:
    """Run once for the mean of the block's output, and once more with the mean in its place."""
    sums: list[Tensor] = []
    with _hook(block, lambda output: sums.append(output.double().sum((0, 1)))):
        cross_entropy(model, stream)
    mean = (sum(sums) / (len(stream) - 1)).to(model.dtype)
    with _hook(block, mean.expand_as):
        return cross_entropy(model, stream)


@contextmanager
def _hook(block: nn.Module, function: Callable[[Tensor], Tensor | None]) -> Iterator[None]:
    """Show the block's output to the function, and replace it by what the function returns."""
    handle = block.register_forward_hook(lambda _module, _inputs, output: function(output))
    try:
        yield
    finally:
        handle.remove()


def _windows(stream: Tensor, length: int, batch: int = 16) -> list[tuple[Tensor, Tensor]]:
    """Cut the stream into batches of inputs and next tokens; the last may be a shorter window."""
    inputs, targets = stream[:-1], stream[1:]
    whole = len(inputs) // length * length
    cut = [part[:whole].view(-1, length).split(batch) for part in (inputs, targets)]
    tail = [(inputs[None, whole:], targets[None, whole:])] if whole < len(inputs) else []
    return [*zip(*cut, strict=True), *tail]


if __name__ == "__main__":
    print(json.dumps(evaluate(*load_tiny_lm(return_tokenizer=True)), indent=2))
