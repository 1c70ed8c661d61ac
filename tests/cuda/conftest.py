"""These tests are collected where there is a GPU, and only there."""

import torch

if not torch.cuda.is_available():
    collect_ignore_glob = ["test_*.py"]
