"""What a result depends on besides the code: machine, versions, commit, date."""

import os
import platform
import resource
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from sklearn_aensae import __version__

__all__ = ["ROOT", "describe", "memory", "peak_memory"]

ROOT = Path(__file__).parents[2]
STATUS = Path("/proc/self/status")


def describe() -> dict[str, Any]:
    """Return a record of machine, versions and commit."""
    names = ("torch", "scikit-learn", "skorch", "numpy")
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", "unset"),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in names} | {"sklearn-aensae": __version__},
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def memory() -> tuple[float, float]:
    """Return the memory this process has now and the most it has had, in MiB; Linux only."""
    fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines() if ":" in line)
    now, peak = (int(fields[name].split()[0]) / 2**10 for name in ("VmRSS", "VmHWM"))
    return now, peak


def peak_memory() -> float:
    """Return the most memory this process has had, in MiB."""
    if STATUS.exists():
        return memory()[1]
    # On Linux this would not do: a child starts with the peak of its parent.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _cpu() -> str:
    """Model of the processor."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _git(*arguments: str) -> str:
    """Output of a git command; empty without a repository."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
