"""The tables of the page: ours beside the published figures, and what the truth says."""

from statistics import mean
from typing import Any

from examples.reproduce_paper.compare import Comparison
from examples.reproduce_paper.one_by_one import Record

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


def spread(runs: list[Record], name: str, digits: int) -> str:
    """Mean (least..most) over the seeds."""
    values = [run[name] for run in runs if "diverged" not in run]
    if len(values) < len(runs):
        return "diverged"
    middle, low, high = (
        f"{value:.{digits}f}" for value in (mean(values), min(values), max(values))
    )
    return f"{middle} ({low}..{high})"


def markdown(lines: list[list[str]]) -> str:
    """Lines of cells as a table, the first as its head."""
    lines = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def provenance(content: dict[str, Any]) -> str:
    """Say what ran where, a line for each session."""
    lines = []
    for number, session in enumerate(content["sessions"]):
        runs = [run for run in content["runs"] if run["session"] == number]
        seeds = ", ".join(map(str, sorted({run["seed"] for run in runs})))
        versions = ", ".join(f"{name} {value}" for name, value in session["versions"].items())
        lines.append(
            f"- {session['date']}: {len(runs)} runs of {content['setting']['steps']:,} steps, "
            f"seeds {seeds}, {session['engine']} on {session['device']}; {session['machine']}, "
            f"Python {session['python']}, {versions}; commit {session['commit']}."
        )
    return "\n".join(lines)
