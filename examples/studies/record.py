"""The JSON of a study, replaced as a whole after each run; when, where and with what it ran."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("sklearn-aensae", "torch", "scikit-learn", "numpy", "scipy", "skorch", "joblib")

Run = dict[str, Any]


class Record:
    """Runs on disk; a file that is there is gone on with.

    Parameters
    ----------
    file : Path
        Where it is.
    setting : dict
        What is the same for all runs, as JSON holds it.
    session : dict
        What is the same for all runs from now on: see `describe`.

    Raises
    ------
    ValueError
        If the file holds runs of another setting.
    """

    def __init__(self, file: Path, setting: dict[str, Any], session: dict[str, Any]) -> None:
        self.file = file
        self.session = session
        self.content: dict[str, Any] = {"setting": setting, "sessions": [], "runs": []}
        if file.exists():
            saved = json.loads(file.read_text())
            if saved["setting"] != self.content["setting"]:
                changes = difference(saved["setting"], setting)
                raise ValueError(
                    f"{file} holds runs of another setting: {changes}; give another --output, or "
                    "take the file away."
                )
            self.content = saved

    @property
    def runs(self) -> list[Run]:
        """All runs so far."""
        runs: list[Run] = self.content["runs"]
        return runs

    def has(self, **key: Any) -> bool:
        """Whether a run with these values is there."""
        return self.find(**key) is not None

    def find(self, **key: Any) -> Run | None:
        """Return the first run with these values, None if there is none."""
        matching = (r for r in self.runs if all(r[name] == value for name, value in key.items()))
        return next(matching, None)

    def add(self, run: Run) -> None:
        """Add a run and save everything."""
        if self.session not in self.content["sessions"]:
            self.content["sessions"].append(self.session)
        self.runs.append({**run, "session": self.content["sessions"].index(self.session)})
        self.file.parent.mkdir(parents=True, exist_ok=True)
        partial = self.file.with_suffix(".partial")
        partial.write_text(json.dumps(self.content, indent=1) + "\n")
        partial.replace(self.file)


def difference(was: dict[str, Any], now: dict[str, Any]) -> str:
    """Say which values differ."""
    names = sorted(name for name in was | now if was.get(name) != now.get(name))
    return ", ".join(f"{name} was {was.get(name)} and is {now.get(name)}" for name in names)


def describe(engine: str, jobs: int, device: str, commit: str | None) -> dict[str, Any]:
    """Return when, where and with what runs are made."""
    gpu = torch.cuda.get_device_name() if device.startswith("cuda") else None
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        "engine": engine,
        "jobs": jobs,
        "device": device if gpu is None else f"{device} ({gpu})",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "versions": {name: installed(name) for name in PACKAGES},
        "commit": commit or head(),
    }


def installed(package: str) -> str:
    """Version of a package, or that it is used from its source."""
    try:
        return version(package)
    except ImportError:
        return "not installed"


def head() -> str:
    """Return the commit that is checked out, and whether files other than docs differ from it."""
    here = Path(__file__).parent

    def ask(*command: str) -> str:
        answer = subprocess.run(
            ["git", *command], cwd=here, capture_output=True, text=True, check=True
        )
        return answer.stdout.strip()

    try:
        # The JSON of the study itself, and the page of its tables, may change.
        changed = ask(
            "status", "--porcelain", "--untracked-files=no", "--", ":/", ":(exclude,top)docs"
        )
        return ask("rev-parse", "HEAD") + (" with changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
