"""From results to tables: in the terminal, and between the markers of docs/performance.md."""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from .quality import LEVELS

__all__ = ["key", "render", "write_page"]

Row = list[str]


def key(result: dict[str, Any]) -> str:
    """Name of a result, as in its file name and its markers."""
    parts = [result["part"]]
    parts += [str(result[name]) for name in ("setting", "data", "precision") if name in result]
    return "-".join(parts)


def render(result: dict[str, Any]) -> str:
    """Tables of one result, in Markdown."""
    return f"{PARTS[result['part']](result)}\n\n{provenance(result['machine'])}"


def write_page(page: Path, results: list[Path]) -> None:
    """Put the tables of results between the markers `<!-- begin KEY -->` and `<!-- end KEY -->`.

    Raises
    ------
    ValueError
        If a result has no markers in the page.
    """
    text = page.read_text()
    for path in results:
        result = json.loads(path.read_text())
        begin, end = (f"<!-- {word} {key(result)} -->" for word in ("begin", "end"))
        if begin not in text or end not in text:
            raise ValueError(f"{page} lacks the markers {begin} and {end} for {path}.")
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{render(result)}\n{end}{rest.split(end)[1]}"
    page.write_text(text)


def provenance(machine: dict[str, Any]) -> str:
    """One line on where the numbers come from."""
    versions = ", ".join(f"{name} {v}" for name, v in machine["versions"].items())
    state = " with uncommitted changes" if machine["dirty"] else ""
    return (
        f"{machine['date']}; {machine['cpu']}, {machine['cores']} cores, {machine['threads']} "
        f"threads; Python {machine['python']}, {versions}; commit {machine['commit'][:12]}{state}."
    )


def table(header: Row, rows: list[Row]) -> str:
    """Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread(values: list[float], digits: int = 1) -> str:
    """Median with least and largest."""
    low, middle, high = (f"{v:,.{digits}f}" for v in (min(values), median(values), max(values)))
    return f"{middle} ({low}..{high})"


def render_steps(result: dict[str, Any]) -> str:
    """Times of steps, in milliseconds and in encoder products, and how much faster ours is."""
    unit = result["unit_ms"]
    rows = []
    for method in result["methods"]:
        ms = method["ms"]
        ours, ratios = times_slower(method, result)
        rows.append(
            [
                f"{method['name']} {method['version']}",
                spread(ms),
                f"{1e3 * method['batch_size'] / median(ms):,.0f}",
                f"{median(t / u for t, u in zip(ms, unit, strict=False)):.2f}",
                spread(ratios, 2) if ratios else "",
                f"{ours:.2f}" if ratios else "",
                f"{method['l0']:.0f}",
                method["does"],
            ]
        )
    faster = ["ours faster by, per round", "of medians"]
    header = ["method", "ms per step", "rows/s", "products", *faster, "L0", "a step also"]
    text = table(header, rows)
    text += f"\n\nOne encoder product: {spread(unit)} ms. {len(unit)} rounds."
    for name, reason in result["left_out"].items():
        text += f" {name} is left out: {reason}."
    return text


def render_variants(result: dict[str, Any]) -> str:
    """Times of steps over TopKSAE's and, of a peer's, over ours of the same method."""
    unit = result["unit_ms"]
    topk = next(m["ms"] for m in result["methods"] if m["name"] == "TopKSAE (ours)")
    rows = []
    for method in result["methods"]:
        ms = method["ms"]
        _, faster = times_slower(method, result)
        rows.append(
            [
                f"{method['name']} {method['version']}",
                spread(ms),
                f"{median(t / u for t, u in zip(ms, unit, strict=True)):.2f}",
                spread([t / u for t, u in zip(ms, topk, strict=True)], 2),
                spread(faster) if faster else "",
                f"{method['l0']:.0f}",
                method["does"],
            ]
        )
    header = ["method", "ms per step", "products", "of TopKSAE's step", "ours faster by"]
    text = table([*header, "L0", "a step also"], rows)
    return f"{text}\n\nOne encoder product: {spread(unit)} ms. {len(unit)} rounds."


def times_slower(method: dict[str, Any], result: dict[str, Any]) -> tuple[float, list[float]]:
    """Time per row over that of ours, of the medians and in each round.

    Ours is the estimator that clips gradients if the other does; none for ours itself.
    """
    kind = "TopK" if method["kind"] == "dictionary" else method["kind"]
    ours = [
        other
        for other in result["methods"]
        if "(ours)" in other["name"] and (other["kind"], other["clips"]) == (kind, method["clips"])
    ]
    if not ours or "(ours)" in method["name"]:
        return float("nan"), []
    share = ours[0]["batch_size"] / method["batch_size"]
    rounds = [share * t / o for t, o in zip(method["ms"], ours[0]["ms"], strict=False)]
    return share * median(method["ms"]) / median(ours[0]["ms"]), rounds


def render_memory(result: dict[str, Any]) -> str:
    """Peak memory beyond the data."""
    rows = [
        [method["name"], f"{method['mib']:,.0f}", f"{method['data_mib']:,.0f}"]
        for method in result["methods"]
    ]
    return table(["method", "peak MiB beyond the data", "data MiB"], rows)


def render_overhead(result: dict[str, Any]) -> str:
    """Time outside the step function."""
    rows = [
        [
            fit["setting"],
            fit["name"],
            f"{fit['step_ms']:.3f}",
            f"{fit['overhead_ms']:.3f}",
            f"{fit['draw_ms']:.3f}",
            f"{100 * fit['overhead_share']:.1f} %",
        ]
        for fit in result["fits"]
    ]
    header = ["setting", "fit", "step ms", "outside ms", "of which drawing ms", "outside"]
    return table(header, rows)


def render_encoding(result: dict[str, Any]) -> str:
    """Throughput against the bare product, and memory against the result."""
    n_rows = result["sizes"]["n_rows"]
    rows = [
        [
            fit["name"],
            f"{fit['l0']:.1f}",
            f"{n_rows / fit['seconds']:,.0f}",
            spread([bare / ours for ours, bare in zip(fit["ours"], fit["bare"], strict=True)], 2),
            f"{fit['mib']:,.0f}",
            f"{fit['csr_mib']:,.0f}",
        ]
        for fit in result["fits"]
    ]
    header = ["encoder", "L0", "rows/s", "of the bare product's", "extra peak MiB", "CSR MiB"]
    return table(header, rows)


def render_exact(result: dict[str, Any]) -> str:
    """Rows per second, beside exact codes, and how far above the least value that was reached."""
    rows = [
        [
            f"{method['n_features']} x {method['n_components']:,}",
            f"{method['lambda_2']:g}",
            method["name"],
            spread(method["rows_per_second"], 0),
            spread(method["exact_is_faster_by"], 2),
            f"{method['l0']:.1f}",
            f"{method['mean_error']:.1e}",
            f"{method['worst_error']:.1e}",
        ]
        for method in result["methods"]
    ]
    header = ["sizes", "lambda_2", "codes", "rows/s", "exact is faster by", "L0"]
    return table([*header, "mean error", "worst error"], rows)


def render_extraction(result: dict[str, Any]) -> str:
    """Speed beside the bare loop, padding, several layers, and memory."""
    speed, memory = result["speed"], result["memory"]
    rows = [
        ["tokens per second", spread(speed["tokens_per_second"], 0)],
        ["of the bare loop's, by the clock", spread(speed["ours_over_bare_clock"], 2)],
        ["of the bare loop's, by CPU time", spread(speed["ours_over_bare_cpu"], 2)],
        ["padding in the batches", f"{100 * speed['padding_share']:.1f} %"],
        [
            "layers 1, 2 and 3 in one pass, time over layer 3 alone",
            spread(result["layers"]["three_over_one_clock"], 2),
        ],
        [
            f"peak of a stream of {memory['stream_megabytes']:.0f} MB in blocks of up to "
            f"{memory['largest_block_megabytes']:.0f} MB",
            f"{memory['peak_megabytes']:.1f} MB",
        ],
    ]
    return table(["", ""], rows)


def render_quality(result: dict[str, Any]) -> str:
    """Time to levels of held-out explained variance, per kind, and how the fits ended."""
    tables = []
    for kind in dict.fromkeys(method["kind"] for method in result["methods"]):
        methods = [method for method in result["methods"] if method["kind"] == kind]
        _, variance, l0 = methods[0]["curve"][-1]
        # An AEN is dense at first, and reconstructs best then: a level bounds L0, too.
        levels = [(share * variance, (2 - share) * l0) for share in LEVELS]
        rows = [
            [
                method["name"],
                *(time_to(*level, method["curve"]) for level in levels),
                *(f"{v:.{d}f}" for v, d in zip(method["curve"][-1], (1, 4, 1), strict=True)),
                f"{median(method['step_ms'][-len(method['step_ms']) // 5 :]):.1f}",
            ]
            for method in methods
        ]
        reach = [f"s to EV {least:.3f} at L0 {most:.1f}" for least, most in levels]
        header = [kind, *reach, "s in all", "final EV", "final L0", "ms per step, last fifth"]
        tables.append(table(header, rows))
    return "\n\n".join(tables)


def time_to(least_variance: float, most_l0: float, curve: list[list[float]]) -> str:
    """Seconds at the first score with that explained variance at no more than that L0."""
    for seconds, variance, l0 in curve:
        if variance >= least_variance and l0 <= most_l0:
            return f"{seconds:.1f}"
    return "not reached"


def render_growth(result: dict[str, Any]) -> str:
    """Times and memory along each axis, with exponents."""
    tables = []
    for axis in result["axes"]:
        rows = [
            [f"{size:,}", f"{seconds:.4f}", f"{mib:,.0f}"]
            for size, seconds, mib in zip(axis["sizes"], axis["seconds"], axis["mib"], strict=True)
        ]
        slopes = [f"{axis['time_exponent']:.2f}", f"{axis['memory_exponent']:.2f}"]
        rows.append(["exponent", *slopes])
        tables.append(table([axis["axis"], axis["measured"], "MiB beyond the data"], rows))
    return "\n\n".join(tables)


def render_several(result: dict[str, Any]) -> str:
    """Seconds of several fits, one by one and from one pass over the data."""
    rows = []
    for fit in result["fits"]:
        alone, together = fit["seconds"]["one by one"], fit["seconds"]["together"]
        faster = [a / t for a, t in zip(alone, together, strict=True)]
        times = [spread(alone), spread(together), spread(faster, 2)]
        same = "yes" if fit["same"] else "no"
        rows.append([fit["data"], f"{fit['n_steps']:,}", *times, same])
    header = ["data", "steps", "s one by one", "s together", "faster by", "the same result"]
    return table(header, rows)


def render_joined(result: dict[str, Any]) -> str:
    """Milliseconds of the pre-codes of all estimators, apart and joined."""
    rows = []
    for one in result["products"]:
        apart, joined = one["seconds"]["one by one"], one["seconds"]["joined"]
        faster = [a / j for a, j in zip(apart, joined, strict=True)]
        size = f"{one['n_rows']:,} rows, {one['n_features']:,} to {one['n_components']:,}"
        times = [spread([1e3 * s for s in way]) for way in (apart, joined)]
        rows.append([size, *times, spread(faster, 2)])
    header = [f"pre-codes of {result['n_estimators']}", "ms one by one", "ms joined", "faster by"]
    return table(header, rows)


PARTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "steps": render_steps,
    "variants": render_variants,
    "memory": render_memory,
    "overhead": render_overhead,
    "encoding": render_encoding,
    "exact": render_exact,
    "extraction": render_extraction,
    "quality": render_quality,
    "several": render_several,
    "joined": render_joined,
    "growth": render_growth,
}
