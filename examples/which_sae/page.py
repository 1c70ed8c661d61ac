"""Tables of a study, between the markers of a page."""

from statistics import median
from typing import Any

FIGURES = {"L0": 1, "EV": 3, "dead": 3, "recovery": 3, "CE recovered": 3, "s": 1}
"""What a table shows, and with how many digits."""


def table(studies: list[dict[str, Any]], figures: dict[str, int] = FIGURES) -> str:
    """Median over the seeds, with least and most; best explained variance first.

    What misses the target by far says nothing at the target: it is marked and comes last.
    """
    shown = [name for name in figures if any(name in run for s in studies for run in s["runs"])]
    ranked = sorted(studies, key=lambda s: (_misses(s), -median(run["EV"] for run in s["runs"])))
    lines = [["estimator", *shown, "chosen"], ["---"] * (len(shown) + 2)]
    for one in ranked:
        chosen = ", ".join(f"{name}={value:.3g}" for name, value in one["params"].items())
        cells = (_spread([run.get(name) for run in one["runs"]], figures[name]) for name in shown)
        mark = " (target missed)" if _misses(one) else ""
        lines.append([f"`{one['estimator']}`{mark}", *cells, chosen])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _misses(one: dict[str, Any]) -> bool:
    """Whether the L0 of the runs is off the target by more than a quarter."""
    ratio = median(run["L0"] for run in one["runs"]) / one["target"]
    return not 0.75 <= ratio <= 1.25


def _spread(values: list[float | None], digits: int) -> str:
    """Median (least..most); a dash for what an estimator, or a run that diverged, does not have."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    low, middle, high = (f"{v:.{digits}f}" for v in (min(known), median(known), max(known)))
    return f"{middle} ({low}..{high})"
