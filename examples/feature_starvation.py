"""The tables and the figure of docs/feature_starvation.md, from the JSON of the studies.

python -m examples.feature_starvation
"""

import json
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from examples.fair_comparison.front import curves_of, front, is_ours
from examples.studies.page import fill

ROOT = Path(__file__).parents[1]
DATA, PAGE = ROOT / "docs" / "data", ROOT / "docs" / "feature_starvation.md"
FIGURE = ROOT / "docs" / "images" / "fronts.png"
SILENT = "silent on held-out rows"
BEST_AEN = "0.9 AEN 0.001/0.0001/0.5/0.9999/0.05"
BEST_ELASTIC_NET = "0.9 ENet 0.005/0.0005"

STARTS = {"the paper's": "reproduction", '`init="data"`': "reproduction_data"}
"""Where runs of 50,000 steps are that begin from either start."""

DRAWN = {
    "AdaptiveElasticNetSAE": "C3:",
    "AdaptiveElasticNetSAE, exact": "C3--",
    "AdaptiveElasticNetSAE, gamma 0.25, thresholded": "C3-",
    "L1SAE, exact": "C0--",
    "L1SAE, thresholded": "C0-",
}
"""What is ours in the figure; baselines are grey, each with a mark of its own."""

Runs = list[dict[str, Any]]


def read(name: str) -> Runs:
    """Return the runs of a study."""
    runs: Runs = json.loads((DATA / f"{name}.json").read_text())["runs"]
    return runs


def span(runs: Runs, name: str, digits: int, unit: str = "") -> str:
    """Return the least and the largest figure, or the one figure of all."""
    low, high = (f"{pick(run[name] for run in runs):.{digits}f}{unit}" for pick in (min, max))
    return low if low == high else f"{low} to {high}"


def spiked_table() -> str:
    """Return what the recipe reaches, with the paper's best beside it."""
    runs = [run for run in read("spiked") if not (run["noise_std"] or run["signed"] or run["size"])]
    heads = (
        "rho | seeds | support F1 | EV | active (true 16) | silent | cosine to the truth | `fit`"
    )
    lines = [f"| {heads} |", "|---" * 8 + "|"]
    for rho in sorted({run["rho"] for run in runs}):
        own = [run for run in runs if run["rho"] == rho]
        cells = [f"{rho:g}", ", ".join(str(run["seed"]) for run in own)]
        cells += [span(own, "F1", 3), span(own, "EV", 3), span(own, "L0", 1)]
        cells += [span(own, SILENT, 2, " %"), span(own, "recovery", 3)]
        lines.append(f"| {' | '.join([*cells, span(own, 'seconds', 0, ' s')])} |")
    best = [run for run in read("reproduction") if run["row"] == BEST_AEN]
    beside = (
        f"The paper's best at rho .9, run again with {len(best)} seeds: F1 {span(best, 'F1', 2)}, "
        f"EV {span(best, 'EV', 2)}, {span(best, 'dead', 0)} % dead."
    )
    how = "`fit` on one thread, beside other work; [data](data/spiked.json)."
    return "\n".join([*lines, "", beside, "", how])


def initialisation_table() -> str:
    """Return what the first weights do to TopK."""
    starts = [read("initialisation_paper"), read("initialisation_data")]
    heads = 'rho | k | dead, the paper\'s start | dead, `init="data"` | EV | EV, `init="data"`'
    lines = [f"| {heads} |", "|---" * 6 + "|"]
    for key in sorted({run["row"] for run in starts[0]}):
        own = [[run for run in runs if run["row"] == key] for runs in starts]
        rho, _, k = key.split()
        cells = [rho, k, *(span(runs, "dead", 1, " %") for runs in own)]
        lines.append(f"| {' | '.join([*cells, *(span(runs, 'EV', 3) for runs in own)])} |")
    said = (
        "TopKSAE with the paper's other options, 1,000 steps of 256 rows, two seeds; dead: fired",
        "on no row of the last 200 steps; EV on held-out rows",
        "([data](data/initialisation_paper.json), [data](data/initialisation_data.json)).",
        "`python -m examples.reproduce_paper --init data",
        "--steps 1000 --rows TopK --seeds 0 1` makes one of them.",
    )
    return "\n".join([*lines, "", *said])


def start_table() -> str:
    """Return what the start does to models with penalties, over the whole of their training."""
    heads = "rho .9 | start | seeds | dead | EV | active | F1 | cosine to the truth, centred"
    lines = [f"| {heads} |", "|---" * 8 + "|"]
    for row in (BEST_AEN, BEST_ELASTIC_NET):
        for start, name in STARTS.items():
            runs = [run for run in read(name) if run["row"] == row]
            figures = (("dead", 1, " %"), ("EV", 2, ""), ("L0", 1, ""), ("F1", 2, ""))
            cells = [span(runs, *figure) for figure in figures]
            cells.append(span(runs, "recovery centred", 2))
            seeds = ", ".join(str(run["seed"]) for run in runs)
            lines.append(f"| {' | '.join([row.split()[1], start, seeds, *cells])} |")
    said = (
        "The best published adaptive elastic net and elastic net, with their other options and all",
        "50,000 steps; dead: fired on no row of the last 10,000 steps",
        "([data](data/reproduction.json), [data](data/reproduction_data.json)).",
        '`python -m examples.reproduce_paper --init data --rows "0.9 AEN"` makes one of them.',
    )
    return "\n".join([*lines, "", *said])


def front_table() -> str:
    """Return where AEN stands by the best baseline, on what has been run for all estimators."""
    runs = read("fair_comparison")
    groups = sorted({run["group"] for run in runs})
    # The other numbers of active components are on the page of the comparison.
    return front(runs, groups, lambda one: one["target"] == 32 or one["group"].startswith("rho"))


def draw_fronts() -> None:
    """Draw what is explained over the number of active components, a panel per layer."""
    from matplotlib.figure import Figure

    runs = read("fair_comparison")
    groups = sorted({run["group"] for run in runs if len(asked_for(runs, run["group"])) > 2})
    groups.sort(key=lambda group: group.endswith("32x"))
    figure = Figure(figsize=(5 * len(groups), 5.4), layout="constrained")
    for ax, group in zip(figure.subplots(1, len(groups), squeeze=False)[0], groups, strict=True):
        here = [run for run in runs if run["group"] == group]
        encoders = curves_of([run for run in here if not is_ours(run)])
        for marker, (name, points) in zip(
            cycle("osD^vPX*"), sorted(encoders.items()), strict=False
        ):
            ax.plot(*points_of(points), marker=marker, color="0.6", ms=4, lw=0.8, label=name)
        ours = curves_of([run for run in here if is_ours(run)])
        for name, style in DRAWN.items():
            if name in ours:
                ax.plot(*points_of(ours[name]), style, marker=".", label=name)
        ax.set(title=group, xlabel="L0", xscale="log")
        ax.set_xticks(ticks := [8, 16, 32, 64], [*map(str, ticks)])
        ax.minorticks_off()
    figure.axes[0].set_ylabel("explained variance")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.savefig(FIGURE, dpi=110)


def asked_for(runs: Runs, group: str) -> set[int]:
    """Return the numbers of active components that were asked for on a layer."""
    return {run["target"] for run in runs if run["group"] == group}


def points_of(points: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Return L0 and explained variance of the points of a curve."""
    return [float(np.exp(count)) for count, _ in points], [ev for _, ev in points]


def main() -> None:
    """Fill the page, and draw its figure."""
    tables = {"spiked": spiked_table(), "initialisation": initialisation_table()}
    fill(PAGE, {**tables, "start": start_table(), "front": front_table()})
    draw_fronts()


if __name__ == "__main__":
    main()
