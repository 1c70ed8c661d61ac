"""Saved estimators and checkpoints: JSON and safetensors in a folder."""

from sklearn_aensae.io._native import load

__all__ = ["load"]
