"""Contract tests and tools for authors of new variants."""

from sklearn_aensae.testing.host_reads import count_host_reads

__all__ = ["count_host_reads"]
