"""Tables of the study: each data set, and which rule comes out first over all of them."""

from statistics import mean, median
from typing import Any

from examples.studies import page
from examples.studies.page import Run, seeds

__all__ = ["provenance", "ranking", "table"]

FIGURES = {"L0": 1, "EV": 3, "dead": 3, "recovery": 3, "pinned": 2, "lambda_1": 4}
"""What a table shows, and with how many digits."""

RANKED = {"EV": -1, "recovery": -1, "dead": 1}
"""What rules are ranked by: 1 where less is better."""

TOLERANCE = 0.1
"""Share by which L0 may miss the target before a row is marked: more codes explain more."""


def table(runs: list[Run]) -> str:
    """Median (least..most) of the seeds on one data set, a row for each rule, best EV first."""
    shown = [name for name in FIGURES if any(name in run for run in runs)]
    lines = [["rule", *shown], ["---"] * (len(shown) + 1)]
    groups = _by_rule(runs)
    for rule in sorted(groups, key=lambda rule: -median(run["EV"] for run in groups[rule])):
        missed = abs(median(r["L0"] / r["target"] for r in groups[rule]) - 1) > TOLERANCE
        figures = (_spread([run[name] for run in groups[rule]], FIGURES[name]) for name in shown)
        lines.append([rule + (" (target missed)" if missed else ""), *figures])
    return _rows(lines)


def ranking(runs: list[Run]) -> str:
    """Mean over the data sets of each rule's rank by the median of its seeds; the best first."""
    problems = sorted({run["problem"] for run in runs})
    ranks: dict[str, dict[str, list[float]]] = {}
    for problem in problems:
        groups = _by_rule([run for run in runs if run["problem"] == problem])
        for name, sign in RANKED.items():
            values = {
                rule: round(sign * median(run[name] for run in group), 4)
                for rule, group in groups.items()
                if all(name in run for run in group)
            }
            for rule, value in values.items():
                ranks.setdefault(rule, {}).setdefault(name, []).append(_rank(value, values))
    means = {
        rule: {name: mean(found[name]) for name in RANKED if name in found}
        for rule, found in ranks.items()
    }
    lines = [["rule", *RANKED, "mean"], ["---"] * (len(RANKED) + 2)]
    for rule in sorted(means, key=lambda rule: mean(means[rule].values())):
        found = [f"{means[rule][name]:.1f}" if name in means[rule] else "" for name in RANKED]
        lines.append([rule, *found, f"{mean(means[rule].values()):.2f}"])
    return _rows(lines)


def provenance(content: dict[str, Any]) -> str:
    """Say what ran where."""

    def what(runs: list[Run], session: dict[str, Any]) -> str:
        steps = content["setting"]["budget"]["steps"]
        return f"{len(runs)} runs of {steps:,} steps, seeds {seeds(runs)}, one thread each"

    return page.provenance(content, what)


def _by_rule(runs: list[Run]) -> dict[str, list[Run]]:
    """Sort runs by their rule."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run["rule"], []).append(run)
    return groups


def _rank(value: float, values: dict[str, float]) -> float:
    """Rank from 1, the least; equal ones share the mean of their ranks."""
    others = list(values.values())
    return sum(other < value for other in others) + (others.count(value) + 1) / 2


def _spread(values: list[float], digits: int) -> str:
    """Median (least..most)."""
    low, middle, high = (f"{v:.{digits}f}" for v in (min(values), median(values), max(values)))
    return f"{middle} ({low}..{high})"


def _rows(lines: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
