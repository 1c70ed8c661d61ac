"""What the pages of studies share: tables, their place on a page, where numbers come from."""

from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

Run = dict[str, Any]


def markdown(lines: list[list[str]]) -> str:
    """Lines of cells as a table, the first as its head."""
    lines = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread(runs: list[Run], name: str, digits: int) -> str:
    """Mean (least..most) over the seeds."""
    values = [run[name] for run in runs if "diverged" not in run]
    if len(values) < len(runs):
        return "diverged"
    middle, low, high = (
        f"{value:.{digits}f}" for value in (mean(values), min(values), max(values))
    )
    return f"{middle} ({low}..{high})"


def provenance(content: dict[str, Any], what: Callable[[list[Run], dict[str, Any]], str]) -> str:
    """Say what ran where, a line for each session.

    Parameters
    ----------
    content : dict
        Of a `Record`.
    what : callable
        Takes the runs of a session and the session; returns what was run, in words.
    """
    lines = []
    for number, session in enumerate(content["sessions"]):
        runs = [run for run in content["runs"] if run["session"] == number]
        if not runs:  # they were made again
            continue
        versions = ", ".join(f"{name} {value}" for name, value in session["versions"].items())
        lines.append(
            f"- {session['date']}: {what(runs, session)}; {session['machine']}, "
            f"Python {session['python']}, {versions}; commit {session['commit']}."
        )
    return "\n".join(lines) or "Not run yet."


def seeds(runs: list[Run]) -> str:
    """List the seeds of some runs."""
    return ", ".join(map(str, sorted({run["seed"] for run in runs})))


def fill(page: Path, tables: dict[str, str]) -> None:
    """Put each table between `<!-- begin NAME -->` and `<!-- end NAME -->`.

    Raises
    ------
    ValueError
        If the page lacks the markers of a table.
    """
    text = page.read_text()
    for name, content in tables.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        if begin not in text or end not in text:
            raise ValueError(f"{page} lacks the markers {begin} and {end}.")
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{content}\n{end}{rest.split(end)[1]}"
    page.write_text(text)


def publish(tables: dict[str, str], page: Path | None) -> None:
    """Print tables under their names, and `fill` the page if there is one."""
    for name, text in tables.items():
        print(f"\n{name}\n\n{text}")
    if page is not None:
        fill(page, tables)


def report(found: list[tuple[str, bool]]) -> int:
    """Print what should hold and whether it does; return 1 if something does not."""
    for statement, holds in found:
        print(f"{'ok' if holds else 'WRONG'}: {statement}")
    return 0 if all(holds for _, holds in found) else 1
