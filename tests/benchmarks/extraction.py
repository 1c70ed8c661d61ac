"""How fast LLMActivationTransformer is beside a bare loop over the truncated model.

    python tests/benchmarks/extraction.py [--json FILE] [--n-texts 240] [--rounds 5] [--threads 1]

Texts of 8 to 256 tokens, uniform, from the standard library, through the packaged model. The bare
loop is ``model(**batch)`` without gradients over the very batches of the transformer, made before
the clock starts; the transformer's time has the tokenizer, the batches, the copy of the rows and
their order in it. All runs of a round alternate; ratios are taken within a round, so that a busy
machine slows both sides. CPU time is more steady than the clock there, and is given as well.
"""

import argparse
import json
import statistics
import time
import tracemalloc
from itertools import chain, islice, repeat
from operator import attrgetter
from pathlib import Path

import numpy as np
import torch

from sklearn_aensae import LLMActivationTransformer
from sklearn_aensae.datasets import TINY_LM, load_stdlib_texts
from sklearn_aensae.llm.extraction import batches, collate, pools
from sklearn_aensae.llm.options import windows

MEGABYTE = 2**20


def make_texts(tokenizer, n_texts):
    """Return texts of about 8 to 256 tokens, uniform, cut from Python sources."""
    source = "\n".join(load_stdlib_texts("train")[:200])[:2_000_000]
    ids = tokenizer(source, add_special_tokens=False, verbose=False)["input_ids"]
    lengths = np.random.default_rng(0).integers(8, 257, size=n_texts)
    stops = np.cumsum(lengths)
    if stops[-1] > len(ids):
        raise SystemExit(f"--n-texts {n_texts} needs more text than there is: at most about 4000.")
    # Cutting inside a word can make it a token or two longer.
    return [tokenizer.decode(ids[b - n : b]) for n, b in zip(lengths, stops.tolist(), strict=True)]


def clocked(call):
    """Return the seconds of a call by the clock and by the CPU."""
    clock, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - clock, time.process_time() - cpu


def alternate(calls, rounds):
    """Return, for each call, its seconds by clock and CPU in each round: (rounds, 2)."""
    for call in calls.values():
        call()
    taken = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            taken[name].append(clocked(call))
    return {name: np.array(seconds) for name, seconds in taken.items()}


def spread(values):
    """Return the median with the smallest and the largest value."""
    values = [float(value) for value in values]
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def drain(transformer, texts):
    """Take all blocks and keep none."""
    for _ in transformer.iter_transform(texts):
        pass


def measure_speed(transformer, texts, rounds):
    """Compare with the bare loop; say how much of the batches is padding."""
    model = transformer._language_model()
    cut = list(windows(transformer, model).groups(texts))
    prepared = [
        collate(model, [pool[i] for i in batch])
        for pool in pools(cut, transformer.max_batch_tokens)
        for batch in batches(pool, transformer.max_batch_tokens)
    ]

    def bare():
        with torch.no_grad():
            for batch in prepared:
                model.network(**batch)

    taken = alternate({"bare": bare, "ours": lambda: drain(transformer, texts)}, rounds)
    n_tokens = sum(int(batch["attention_mask"].sum()) for batch in prepared)
    n_padded = sum(batch["input_ids"].numel() for batch in prepared)
    ratios = taken["bare"] / taken["ours"]
    return {
        "n_tokens": n_tokens,
        "padding_share": 1 - n_tokens / n_padded,
        "bare_tokens_per_second": spread(n_tokens / taken["bare"][:, 0]),
        "ours_tokens_per_second": spread(n_tokens / taken["ours"][:, 0]),
        "ours_over_bare_clock": spread(ratios[:, 0]),
        "ours_over_bare_cpu": spread(ratios[:, 1]),
    }


def measure_layers(texts, rounds):
    """Compare three layers in a pass with the last of them alone."""
    one, three = (LLMActivationTransformer(TINY_LM, layer) for layer in (3, [1, 2, 3]))
    taken = alternate(
        {"one": lambda: drain(one, texts), "three": lambda: drain(three, texts)}, rounds
    )
    ratios = taken["three"] / taken["one"]
    return {
        "three_over_one_clock": spread(ratios[:, 0]),
        "three_over_one_cpu": spread(ratios[:, 1]),
    }


def measure_memory(transformer, texts, n_blocks=6):
    """Return the traced peak while a stream goes by, and the sizes of a block and of the stream."""
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


def shown(value):
    """Return a number, or a median with its range, in four digits."""
    if isinstance(value, dict):
        return "{median:.4g}  ({min:.4g} to {max:.4g})".format(**value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def table(result, indent=""):
    """Return the result as lines of text."""
    lines = []
    for name, value in result.items():
        if isinstance(value, dict) and "median" not in value:
            lines += [f"{indent}{name}", *table(value, indent + "  ")]
        else:
            lines.append(f"{indent}{name:<28}{shown(value)}")
    return lines


def main():
    """Measure, print a table and write the file that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="file to write the results to")
    parser.add_argument("--n-texts", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    transformer = LLMActivationTransformer(TINY_LM, layer=1)
    texts = make_texts(transformer._language_model().tokenizer, options.n_texts)
    result = {
        "setting": {
            "n_texts": options.n_texts,
            "rounds": options.rounds,
            "threads": options.threads,
            "max_batch_tokens": transformer.max_batch_tokens,
            "torch": torch.__version__,
        },
        "speed": measure_speed(transformer, texts, options.rounds),
        "layers": measure_layers(texts, max(1, options.rounds // 2)),
        "memory": measure_memory(transformer, texts),
    }
    print("\n".join(table(result)))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
