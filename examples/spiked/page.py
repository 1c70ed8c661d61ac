"""The tables of the page."""

from typing import Any

from examples.spiked.study import SILENT, Run, met
from examples.studies import page
from examples.studies.page import markdown, seeds, spread

DIGITS = {"F1": 3, "EV": 3, "L0": 2, SILENT: 2, "recovery": 3}
BESIDE = {"F1 centred": 3, "recovery centred": 3, "dead in training": 2, "seconds": 0}


def by_case(runs: list[Run]) -> dict[str, list[Run]]:
    """Sort runs by their case, in the order in which cases are read."""
    found: dict[str, list[Run]] = {}
    for one in sorted(runs, key=lambda r: (r["size"], r["signed"], r["noise_std"], r["rho"])):
        found.setdefault(one["case"], []).append(one)
    return found


def results(runs: list[Run]) -> str:
    """Put the figures in a table, with a cross where a run misses a line."""
    lines = [["case", *DIGITS, *BESIDE]]
    for case, group in by_case(runs).items():
        cells = []
        for name, digits in DIGITS.items():
            mark = "" if all(met(one)[name] for one in group) else " ✗"
            cells.append(spread(group, name, digits) + mark)
        beside = [spread(group, name, digits) for name, digits in BESIDE.items()]
        lines.append([case, *cells, *beside])
    return markdown(lines)


def oracle(runs: list[Run]) -> str:
    """Put the figures of the truth's own exact codes in a table."""
    shown = ("F1", "EV", "L0")
    lines = [["case", *shown]]
    for case, group in by_case(runs).items():
        best = [one["oracle"] for one in group]
        lines.append([case, *(spread(best, name, DIGITS[name]) for name in shown)])
    return markdown(lines)


def verdict(runs: list[Run]) -> str:
    """Say how many runs meet all lines, and who misses which."""
    if not runs:
        return "Not run yet."
    missed = [(one, [name for name, ok in met(one).items() if not ok]) for one in runs]
    good = sum(not names for _, names in missed)
    text = f"**{good} of {len(runs)} runs meet all five lines.**"
    lines = [
        f"- {one['case']}, seed {one['seed']} misses " + ", ".join(names)
        for one, names in missed
        if names
    ]
    return "\n".join([text, "", *lines]).strip()


def provenance(content: dict[str, Any]) -> str:
    """Say what ran where."""

    def what(runs: list[Run], session: dict[str, Any]) -> str:
        threads = ", ".join(map(str, sorted({one["threads"] for one in runs})))
        return (
            f"{len(runs)} runs, seeds {seeds(runs)}, {threads} threads each, {session['jobs']} at "
            "a time"
        )

    return page.provenance(content, what)
