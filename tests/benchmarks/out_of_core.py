"""Resident memory and throughput of `fit` on a file larger than memory.

    python -m tests.benchmarks.out_of_core --gigabytes 20

writes a float16 file, passes once over it as a memmap and once as a stream, each in a process of
its own, then compares the throughput on its first part as a memmap and as an array, in turns.
`--json FILE` keeps the numbers. `--limit 1.5` forbids more anonymous memory; to count mapped pages
and the page cache, too, run it in a memory cgroup.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from .machine import describe, peak_memory

BLOCK_ROWS = 65_536


def main():
    """Write the file, run both measurements in processes of their own, print the results."""
    options = parse()
    if options.worker:
        print(json.dumps(WORKERS[options.worker](options)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        options.file = options.file or write(Path(folder) / "rows.npy", options)
        size = Path(options.file).stat().st_size / 1e9
        results = {"machine": describe(), "file_gigabytes": size}
        results["data_limit_gigabytes"] = options.limit
        for worker in WORKERS:
            results |= run(worker, options)
    print(json.dumps(results, indent=2))
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=2) + "\n")


def parse():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=20, help="size of the file")
    parser.add_argument("--features", type=int, default=512)
    parser.add_argument("--components", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=4096)
    parser.add_argument("--share", type=float, default=1.0, help="of the file, to pass over once")
    parser.add_argument("--compare", type=float, default=2, help="gigabytes for the throughput")
    parser.add_argument("--repeats", type=int, default=3, help="of the comparison")
    parser.add_argument("--limit", type=float, help="RLIMIT_DATA in gigabytes")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--folder", help="where the file goes; default: the temporary folder")
    parser.add_argument("--file", help="an existing file instead of a new one")
    parser.add_argument("--json", help="file for the results")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    return parser.parse_args()


def write(path, options):
    """Write a matrix of random blocks, repeated: making new numbers would take longer."""
    block = np.random.default_rng(0).normal(size=(BLOCK_ROWS, options.features)).astype(np.float16)
    n_blocks = max(1, round(options.gigabytes * 1e9 / block.nbytes))
    shape = (n_blocks * BLOCK_ROWS, options.features)
    with path.open("wb") as file:
        header = {"descr": "<f2", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for i in range(n_blocks):
            file.write(np.roll(block, i, axis=1).tobytes())
    return str(path)


def run(worker, options):
    """Run one measurement in a process of its own and return its numbers."""
    arguments = [f"--{k.replace('_', '-')}={v}" for k, v in vars(options).items() if v is not None]
    command = [sys.executable, "-m", __spec__.name, *arguments, f"--worker={worker}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ)
    return json.loads(done.stdout)


def make_sae(options, n_rows):
    """Return a small model: the smaller it is, the harder reading has to keep up."""
    import torch

    from sklearn_aensae import TopKSAE

    torch.set_num_threads(options.threads)
    steps = max(1, n_rows // options.batch_size)
    return TopKSAE(
        options.components, k=16, batch_size=options.batch_size, max_steps=steps, random_state=0
    )


def measure_shards(options):
    """Pass once over the file as a memmap; initial and peak resident memory."""
    return measure_memory(options, "shards", lambda path: np.load(path, mmap_mode="r"))


def measure_stream(options):
    """Pass once over the file as a generator of blocks; initial and peak resident memory."""
    return measure_memory(options, "stream", read_blocks)


def read_blocks(path):
    """Yield blocks of a few megabytes."""
    n_rows = len(np.load(path, mmap_mode="r"))
    for start in range(0, n_rows, 4096):
        yield np.array(np.load(path, mmap_mode="r")[start : start + 4096])


def measure_memory(options, name, load):
    """Fit in one pass, after a short fit on the first rows that imports what is lazy."""
    if options.limit:
        limit = int(options.limit * 1e9)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    mapped = np.load(options.file, mmap_mode="r")
    few = 4 * options.batch_size
    make_sae(options, few).fit(mapped[:few].copy())
    sae = make_sae(options, int(len(mapped) * options.share))
    before, start = resident(), time.perf_counter()
    sae.fit(load(options.file))
    seconds = time.perf_counter() - start
    return {
        f"{name}_rows": sae.n_steps_ * options.batch_size,
        f"{name}_rows_per_second": sae.n_steps_ * options.batch_size / seconds,
        f"{name}_resident_gigabytes_before": before,
        f"{name}_resident_gigabytes_peak": resident(),
    }


def measure_throughput(options):
    """Fit on the same rows in memory and mapped, in turns; medians of rows per second."""
    mapped = np.load(options.file, mmap_mode="r")
    n_rows = min(len(mapped), int(options.compare * 1e9) // (2 * options.features))
    mapped = mapped[:n_rows]
    rates = {"array": [], "memmap": []}
    data = {"array": np.array(mapped), "memmap": mapped}
    make_sae(options, 4 * options.batch_size).fit(data["array"][: 4 * options.batch_size])
    for _ in range(options.repeats):
        for name, X in data.items():
            sae = make_sae(options, n_rows)
            start = time.perf_counter()
            sae.fit(X)
            rates[name].append(sae.n_steps_ * options.batch_size / (time.perf_counter() - start))
    medians = {name: float(np.median(values)) for name, values in rates.items()}
    return {
        "compared_rows": n_rows,
        "rows_per_second_array": medians["array"],
        "rows_per_second_memmap": medians["memmap"],
        "memmap_over_array": medians["memmap"] / medians["array"],
    }


def resident():
    """Peak resident memory of this process so far, in gigabytes."""
    return peak_memory() * 2**20 / 1e9


WORKERS = {
    "shards": measure_shards,
    "stream": measure_stream,
    "throughput": measure_throughput,
}

if __name__ == "__main__":
    main()
