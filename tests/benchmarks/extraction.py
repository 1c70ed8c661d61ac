"""Language model extraction beside a bare loop over the model.

Texts of 8 to 256 tokens, uniform, from the standard library, through the packaged model. The bare
loop is ``model(**batch)`` without gradients over the very batches of the transformer, made before
the clock starts; the transformer's time has the tokenizer, the batches, the copy of the rows and
their order in it. All runs of a round alternate; ratios are taken within a round, so that a busy
machine slows both sides. CPU time is more steady than the clock there, and is given as well.
"""

import time
import tracemalloc
from collections.abc import Callable
from itertools import chain, islice, repeat
from operator import attrgetter
from typing import Any

import numpy as np
import torch

from sklearn_aensae import LLMActivationTransformer
from sklearn_aensae.datasets import TINY_LM, load_stdlib_texts
from sklearn_aensae.llm.extraction import batches, collate, pools
from sklearn_aensae.llm.options import windows

from .machine import describe

__all__ = ["run_extraction"]

MEGABYTE = 2**20

Call = Callable[[], None]


def run_extraction(n_texts: int = 240, n_rounds: int = 5) -> dict[str, Any]:
    """Measure speed, several layers in one pass, and memory."""
    transformer = LLMActivationTransformer(TINY_LM, layer=1)
    texts = make_texts(transformer._language_model().tokenizer, n_texts)
    return {
        "part": "extraction",
        "machine": describe(),
        "sizes": {"n_texts": n_texts, "max_batch_tokens": transformer.max_batch_tokens},
        "speed": measure_speed(transformer, texts, n_rounds),
        "layers": measure_layers(texts, max(1, n_rounds // 2)),
        "memory": measure_memory(transformer, texts),
    }


def make_texts(tokenizer: Any, n_texts: int) -> list[str]:
    """Texts of about 8 to 256 tokens, uniform, cut from Python sources."""
    source = "\n".join(load_stdlib_texts("train")[:200])[:2_000_000]
    ids = tokenizer(source, add_special_tokens=False, verbose=False)["input_ids"]
    lengths = np.random.default_rng(0).integers(8, 257, size=n_texts)
    stops = np.cumsum(lengths)
    # Cutting inside a word can make it a token or two longer.
    return [tokenizer.decode(ids[b - n : b]) for n, b in zip(lengths, stops.tolist(), strict=True)]


def clocked(call: Call) -> tuple[float, float]:
    """Seconds of a call by the clock and by the CPU."""
    clock, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - clock, time.process_time() - cpu


def alternate(calls: dict[str, Call], n_rounds: int) -> dict[str, np.ndarray]:
    """For each call, its seconds by clock and CPU in each round: shape (n_rounds, 2)."""
    for call in calls.values():
        call()
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(n_rounds):
        for name, call in calls.items():
            taken[name].append(clocked(call))
    return {name: np.array(seconds) for name, seconds in taken.items()}


def drain(transformer: LLMActivationTransformer, texts: list[str]) -> None:
    """Take all blocks and keep none."""
    for _ in transformer.iter_transform(texts):
        pass


def measure_speed(
    transformer: LLMActivationTransformer, texts: list[str], n_rounds: int
) -> dict[str, Any]:
    """Compare with the bare loop; say how much of the batches is padding."""
    model = transformer._language_model()
    cut = list(windows(transformer, model).groups(texts))
    prepared = [
        collate(model, [pool[i] for i in batch])
        for pool in pools(cut, transformer.max_batch_tokens)
        for batch in batches(pool, transformer.max_batch_tokens)
    ]

    def bare() -> None:
        with torch.no_grad():
            for batch in prepared:
                model.network(**batch)

    taken = alternate({"bare": bare, "ours": lambda: drain(transformer, texts)}, n_rounds)
    n_tokens = sum(int(batch["attention_mask"].sum()) for batch in prepared)
    n_padded = sum(batch["input_ids"].numel() for batch in prepared)
    ratios = taken["bare"] / taken["ours"]
    return {
        "n_tokens": n_tokens,
        "padding_share": 1 - n_tokens / n_padded,
        "tokens_per_second": (n_tokens / taken["ours"][:, 0]).tolist(),
        "ours_over_bare_clock": ratios[:, 0].tolist(),
        "ours_over_bare_cpu": ratios[:, 1].tolist(),
    }


def measure_layers(texts: list[str], n_rounds: int) -> dict[str, list[float]]:
    """Compare three layers in a pass with the last of them alone."""
    one, three = (LLMActivationTransformer(TINY_LM, layer) for layer in (3, [1, 2, 3]))
    calls = {"one": lambda: drain(one, texts), "three": lambda: drain(three, texts)}
    taken = alternate(calls, n_rounds)
    return {"three_over_one_clock": (taken["three"] / taken["one"])[:, 0].tolist()}


def measure_memory(
    transformer: LLMActivationTransformer, texts: list[str], n_blocks: int = 6
) -> dict[str, float]:
    """The traced peak while a stream goes by, and the sizes of a block and of the stream."""
    stream = chain.from_iterable(repeat(texts))
    tracemalloc.start()
    # Not a loop: its variable would hold a block while the next is made.
    sizes = list(map(attrgetter("nbytes"), islice(transformer.iter_transform(stream), n_blocks)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {
        "stream_megabytes": sum(sizes) / MEGABYTE,
        "largest_block_megabytes": max(sizes) / MEGABYTE,
        "peak_megabytes": peak / MEGABYTE,
    }
