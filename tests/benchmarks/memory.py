"""Peak memory of a training beyond its data array, each method in a fresh process."""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from .child import train_in_child
from .machine import describe
from .method import Method
from .problem import SETTINGS, Setting, make_problem
from .registry import STEPS, installed

__all__ = ["run_memory"]


def run_memory(
    setting: str | Setting, *, n_steps: int = 12, methods: list[type[Method]] | None = None
) -> dict[str, Any]:
    """Measure the methods of the part "steps", but scikit-learn's."""
    name = setting if isinstance(setting, str) else "custom"
    setting = SETTINGS[setting] if isinstance(setting, str) else setting
    chosen = [cls for cls in STEPS if cls.kind != "dictionary"] if methods is None else methods
    problem = make_problem(setting)
    sizes = {"n_components": problem.n_components, "batch_size": problem.batch_size}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "X.npy"
        np.save(data, problem.X.numpy())
        del problem
        records = [
            {
                "name": cls.name,
                "kind": cls.kind,
                "clips": cls.clips,
                **train_in_child(cls.name, data, n_steps, k=setting.k, **sizes),
            }
            for cls in installed(chosen)
        ]
    return {
        "part": "memory",
        "machine": describe(),
        "setting": name,
        "sizes": asdict(setting),
        "n_steps": n_steps,
        "methods": records,
    }
