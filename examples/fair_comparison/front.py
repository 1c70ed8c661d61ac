"""Where the adaptive elastic net and exact codes stand by the front of the baselines' encoders."""

from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from examples.studies.page import markdown

OURS = "AdaptiveElasticNetSAE"
EQUAL = 1.01
"""L0 within this factor counts as equal: a k of 16 is 15.99 on some rows."""

Study = dict[str, Any]


def front(
    results: list[Study], groups: list[str], is_shown: Callable[[Study], bool] = lambda one: True
) -> str:
    """Compare our points with the best baseline at their L0 or less, by medians of the seeds.

    Of ours, those for which `is_shown` is true.

    Ours are the adaptive elastic net and all exact codes; baselines are coded by their encoders. A
    baseline's points are joined by lines over the logarithm of L0. Beyond its last it explains
    at least as much as there; before its first, but for a hundredth, it says nothing.
    """
    lines = [["data", "estimator", "L0", "EV", "best baseline there", "its EV", "difference"]]
    for group in groups:
        here = [one for one in results if one["group"] == group]
        curves = curves_of([one for one in here if not is_ours(one)])
        for one in sorted(here, key=lambda one: (one["estimator"], one["target"])):
            if not (is_ours(one) and is_shown(one)) or not (best := _best(curves, one)):
                continue
            value, name = best
            ev = _middle(one, "EV")
            cells = [group, one["estimator"], f"{_middle(one, 'L0'):.1f}", f"{ev:.3f}"]
            lines.append([*cells, name, f"{value:.3f}", f"{ev - value:+.3f}"])
    return markdown(lines) if len(lines) > 1 else "Not run yet."


def is_ours(one: Study) -> bool:
    """Whether it is an adaptive elastic net, or exact codes of whatever."""
    return one["estimator"] == OURS or "transform_method" in one["not default"]


def _middle(one: Study, name: str) -> float:
    return float(median(run[name] for run in one["runs"]))


def curves_of(results: list[Study]) -> dict[str, list[tuple[float, float]]]:
    """Points of each estimator, by logarithm of L0; what learned nothing has none."""
    found: dict[str, list[tuple[float, float]]] = {}
    for one in results:
        if (count := _middle(one, "L0")) > 0:
            point = float(np.log(count)), _middle(one, "EV")
            found.setdefault(one["estimator"], []).append(point)
    return {name: sorted(points) for name, points in found.items()}


def _best(curves: dict[str, list[tuple[float, float]]], one: Study) -> tuple[float, str] | None:
    """Return the most that a baseline explains with the L0 of a study, and which one it is."""
    count = _middle(one, "L0")
    at = np.log(count) if count > 0 else -np.inf
    values = [
        (float(np.interp(at, *zip(*points, strict=True))), name)
        for name, points in curves.items()
        if points[0][0] <= at + np.log(EQUAL)
    ]
    return max(values, default=None)
