"""The JSON of the study, replaced as a whole after each run."""

import json
from pathlib import Path
from typing import Any

from examples.weight_rules.study import Setting

__all__ = ["Record"]

Run = dict[str, Any]


class Record:
    """Runs on disk; a file that is there is gone on with.

    Parameters
    ----------
    file : Path
        Where it is.
    setting : Setting
        What is the same for all runs.
    session : dict
        When, where and with what runs are made from now on.

    Raises
    ------
    ValueError
        If the file holds runs of another setting.
    """

    def __init__(self, file: Path, setting: Setting, session: dict[str, Any]) -> None:
        self.file = file
        self.session = session
        self.content: dict[str, Any] = {
            "setting": setting.as_json(),
            "sessions": [],
            "runs": [],
        }
        if file.exists():
            saved = json.loads(file.read_text())
            if saved["setting"] != self.content["setting"]:
                raise ValueError(
                    f"{file} holds runs of another setting; give another --output, or take the "
                    "file away."
                )
            self.content = saved

    @property
    def runs(self) -> list[Run]:
        """All runs so far."""
        runs: list[Run] = self.content["runs"]
        return runs

    def has(self, problem: str, rule: str, seed: int) -> bool:
        """Whether a run is there."""
        return any((r["problem"], r["rule"], r["seed"]) == (problem, rule, seed) for r in self.runs)

    def add(self, run: Run) -> None:
        """Add a run and save everything."""
        if self.session not in self.content["sessions"]:
            self.content["sessions"].append(self.session)
        self.runs.append({**run, "session": self.content["sessions"].index(self.session)})
        self.file.parent.mkdir(parents=True, exist_ok=True)
        partial = self.file.with_suffix(".partial")
        partial.write_text(json.dumps(self.content, indent=1) + "\n")
        partial.replace(self.file)
