"""Warnings that point at the user's line, however deep in the library they arise."""

import os
import sys
import warnings
from pathlib import Path

__all__ = ["warn"]

PACKAGE = f"{Path(__file__).parent}{os.sep}"


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn of `message` at the line that called into this package first."""
    depth = outermost = 1
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
        if frame.f_code.co_filename.startswith(PACKAGE):
            outermost = depth
    warnings.warn(message, category, stacklevel=outermost + 2)
