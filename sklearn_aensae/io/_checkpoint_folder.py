"""A folder of checkpoints: the newest good one, and room for the next."""

import re
import shutil
from pathlib import Path
from typing import Any

from sklearn_aensae._warnings import warn
from sklearn_aensae.exceptions import CheckpointWarning, LoadError
from sklearn_aensae.io._folder import read_folder, sync, write_folder

__all__ = ["KEPT", "CheckpointFolder"]

KEPT = 2
"""Checkpoints that are kept: the newest, and one in case it gets damaged."""

TEMPORARY, FINISHED = ".tmp-", "-finished"


class CheckpointFolder:
    """Folders `step-...` in one folder, each written under a temporary name and then renamed.

    Parameters
    ----------
    path : Path
        The folder; it is made with the first checkpoint.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen = self._steps()
        self.damaged: set[str] = set()

    def newest(self) -> dict[str, Any] | None:
        """Return the content of the newest checkpoint that can be read; None if there is none.

        Raises
        ------
        LoadError
            If there are checkpoints, but none can be read.

        Warns
        -----
        CheckpointWarning
            If the newest cannot be read, but an earlier one can.
        """
        reasons = []
        for name in sorted(self.seen, reverse=True):
            try:
                content = self._read(name)
            except (OSError, LoadError) as error:
                reasons.append(str(error))
                self.damaged.add(name)
                continue
            if reasons:
                warn(
                    f"Training goes on from {self.path / name}, as what is newer cannot be used: "
                    f"{' '.join(reasons)}",
                    CheckpointWarning,
                )
            return content
        if reasons:
            raise LoadError(
                f"no checkpoint in {self.path} can be used: {' '.join(reasons)} Delete the folder "
                "to start anew."
            )
        return None

    def write(self, step: int, content: dict[str, Any], *, finished: bool = False) -> None:
        """Write the checkpoint of a step if there is none, and delete those before the last.

        Raises
        ------
        RuntimeError
            If another fit writes to the same folder.
        """
        if self._steps() - self.seen:
            raise RuntimeError(
                f"another fit writes to checkpoint_dir={str(self.path)!r} at the same time; give "
                "each its own."
            )
        name = f"step-{step:010d}{FINISHED if finished else ''}"
        if name in self.damaged:
            self._delete(name)
        elif name in self.seen:
            return
        self.clean()
        temporary = self.path / (TEMPORARY + name)
        write_folder(temporary, content)
        temporary.rename(self.path / name)
        sync(self.path)
        self.seen.add(name)
        for old in sorted(n for n in self.seen if n <= name)[:-KEPT]:
            self._delete(old)

    def clean(self) -> None:
        """Delete what a killed run has left half-written or half-deleted."""
        for path in self.path.glob(f"{TEMPORARY}step-*"):
            shutil.rmtree(path)

    def _read(self, name: str) -> dict[str, Any]:
        """Return the content of one checkpoint."""
        content = read_folder(self.path / name)
        if "checkpoint" not in content:
            raise LoadError(f"{self.path / name} is a saved estimator and no checkpoint.")
        return content

    def _steps(self) -> set[str]:
        """Names of the checkpoints that are there."""
        pattern = rf"step-\d{{10}}({FINISHED})?"
        return {p.name for p in self.path.glob("step-*") if re.fullmatch(pattern, p.name)}

    def _delete(self, name: str) -> None:
        """Delete a checkpoint; half deleted, it no longer has the name of one."""
        self.seen.discard(name)
        self.damaged.discard(name)
        if (self.path / name).exists():
            rubbish = (self.path / name).rename(self.path / f"{TEMPORARY}{name}-old")
            shutil.rmtree(rubbish)
