"""Benchmarks: training steps, whole fits and growth, ours against a dense step and the peers.

Run `python -m tests.benchmarks --help` from the root of the repository.
"""
