"""The tables of the page: one for each data set and number of active components."""

from typing import Any

from examples.fair_comparison.study import WINDOWS
from examples.studies import page
from examples.which_sae.page import table

SILENT = {f"silent in {window:,}": 4 for window in WINDOWS}
FIGURES = {
    "L0": 1, "EV": 3, "recovery": 3, "recovery centred": 3, "CE recovered": 3, "CE increase": 3,
    "dead in training": 4, **SILENT, "gap": 3, "s": 0,
}  # fmt: skip


def tables(results: list[dict[str, Any]], groups: list[str]) -> dict[str, str]:
    """Return the tables of each group of data sets, or that there are none."""
    found = {}
    for group in groups:
        here = [one for one in results if one["group"] == group]
        targets = sorted({one["target"] for one in here})
        parts = []
        for target in targets:
            text = table([one for one in here if one["target"] == target], FIGURES)
            parts.append(f"{target} active components:\n\n{text}")
        found[group] = "\n\n".join(parts) or "Not run yet."
    return found


def provenance(content: dict[str, Any]) -> str:
    """Say what ran where."""

    def what(runs: list[page.Run], session: dict[str, Any]) -> str:
        return f"{len(runs)} estimators on a data set each, {session['jobs']} at a time"

    return page.provenance(content, what)
