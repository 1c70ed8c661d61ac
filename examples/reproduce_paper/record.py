"""The JSON of a sweep: what ran, where and with what, replaced as a whole after each run."""

import json
import os
import platform
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from examples.reproduce_paper.estimators import Setting
from examples.reproduce_paper.one_by_one import Record, Run

SCHEMA = 1
PACKAGES = ("sklearn-aensae", "torch", "scikit-learn", "numpy", "scipy", "skorch", "joblib")


class Sweep:
    """Runs of one setting on disk; a file that is there is gone on with.

    Parameters
    ----------
    file : Path
        Where it is.
    setting : Setting
        Sizes and length of the trainings.
    session : dict
        What is the same for all runs from now on: see `describe`.

    Raises
    ------
    ValueError
        If the file holds runs of another setting.
    """

    def __init__(self, file: Path, setting: Setting, session: dict[str, Any]) -> None:
        self.file = file
        self.content: dict[str, Any] = {
            "schema": SCHEMA,
            "paper": "arXiv 2605.05341v1",
            "setting": asdict(setting),
            "sessions": [],
            "runs": [],
        }
        if file.exists():
            saved = json.loads(file.read_text())
            for name in ("schema", "setting"):
                if saved[name] != self.content[name]:
                    raise ValueError(
                        f"{file} holds runs with {name} {saved[name]}, not {self.content[name]}; "
                        "give another --output, or take the file away."
                    )
            self.content = saved
        self.session = session

    @property
    def runs(self) -> list[Record]:
        """All runs so far."""
        runs: list[Record] = self.content["runs"]
        return runs

    def missing(self, runs: list[Run]) -> list[Run]:
        """Return the runs that are not there."""
        done = {(record["row"], record["seed"]) for record in self.runs}
        return [(row, seed) for row, seed in runs if (row.key, seed) not in done]

    def add(self, record: Record) -> None:
        """Add a run and save everything."""
        if self.session not in self.content["sessions"]:
            self.content["sessions"].append(self.session)
        session = self.content["sessions"].index(self.session)
        self.runs.append({**record, "session": session})
        self.file.parent.mkdir(parents=True, exist_ok=True)
        partial = self.file.with_suffix(".partial")
        partial.write_text(json.dumps(self.content, indent=1) + "\n")
        partial.replace(self.file)


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
    """Return the commit that is checked out, and whether files differ from it."""
    here = Path(__file__).parent

    def ask(*command: str) -> str:
        answer = subprocess.run(
            ["git", *command], cwd=here, capture_output=True, text=True, check=True
        )
        return answer.stdout.strip()

    try:
        changed = ask("status", "--porcelain", "--untracked-files=no")
        return ask("rev-parse", "HEAD") + (" with changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
