"""The tables of the page: ours beside the published figures, and what the truth says."""

from typing import Any

from examples.reproduce_paper.compare import Comparison
from examples.studies import page
from examples.studies.page import Run, markdown, seeds, spread

DIGITS = {"EV": 3, "L0": 1, "dead": 1}
TRUTH = ("recovery", "recovery centred", "F1", "F1 centred")


def comparison_table(found: list[Comparison]) -> str:
    """Put ours beside the published figures, with a cross where a criterion is missed."""
    heads = ["rho", "family", "pick", "configuration"]
    heads += [f"{name}: {whose}" for name in DIGITS for whose in ("paper", "ours")]
    lines = [[*heads, "holds"]]
    for one in found:
        row = one.row
        cells = [f"{row.rho:g}", row.family, row.pick, f"`{row.values}`"]
        for name, digits in DIGITS.items():
            mark = "" if one.met[name] else " ✗"
            cells += [f"{getattr(row, name):.{digits}f}", spread(one.runs, name, digits) + mark]
        lines.append([*cells, "yes" if one.holds else "no"])
    return markdown(lines)


def truth_table(found: list[Comparison]) -> str:
    """Say how much of the true dictionary and codes is found, which was not published."""
    lines = [["rho", "family", "configuration", *TRUTH, "EV with offset"]]
    for one in found:
        cells = [f"{one.row.rho:g}", one.row.family, f"`{one.row.values}`"]
        lines.append([*cells, *(spread(one.runs, n, 3) for n in (*TRUTH, "EV with offset"))])
    return markdown(lines)


def provenance(content: dict[str, Any]) -> str:
    """Say what ran where."""

    def what(runs: list[Run], session: dict[str, Any]) -> str:
        return (
            f"{len(runs)} runs of {content['setting']['steps']:,} steps, seeds {seeds(runs)}, "
            f"{session['engine']} on {session['device']}"
        )

    return page.provenance(content, what)
