"""Warnings that point at the user's line, however deep in the library they arise."""

import os
import sys
import warnings
from pathlib import Path

import joblib
import sklearn

__all__ = ["warn"]

PACKAGE = f"{Path(__file__).parent}{os.sep}"

CALLERS = tuple(f"{Path(module.__file__).parent}{os.sep}" for module in (sklearn, joblib))
"""What may have called into this package for the user: pipelines, searches."""


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn of `message` at the line of the user that led here."""
    depth = outermost = 1
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
        file = frame.f_code.co_filename
        if file.startswith(PACKAGE) or (outermost == depth - 1 and file.startswith(CALLERS)):
            outermost = depth
    warnings.warn(message, category, stacklevel=outermost + 2)
