"""Counts reads of the device by the host: each would stall a GPU in the middle of a step."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["count_host_reads"]


class _Counter(TorchDispatchMode):
    """Counts operations whose result, or whose shape, the host must wait for."""

    n_reads = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _READS or (func in _INDEXING and _has_mask(args[1])):
            self.n_reads += 1
        return func(*args, **(kwargs or {}))


_READS = {
    torch.ops.aten._local_scalar_dense.default,  # .item(), float(), bool(), if tensor
    torch.ops.aten.nonzero.default,
    torch.ops.aten.masked_select.default,
}
# On the CPU, x[mask] shows neither of the above.
_INDEXING = {torch.ops.aten.index.Tensor, torch.ops.aten.index_put_.default}


def _has_mask(indices: Any) -> bool:
    """Whether an index contains a boolean mask."""
    return any(isinstance(i, torch.Tensor) and i.dtype == torch.bool for i in indices)


@contextmanager
def count_host_reads() -> Iterator[_Counter]:
    """Count host reads within the context; works on the CPU, where they cost nothing.

    Yields
    ------
    counter : object
        Its `n_reads` is the number of reads so far.

    Examples
    --------
    >>> import torch
    >>> from sklearn_aensae.testing import count_host_reads
    >>> with count_host_reads() as counter:
    ...     total = torch.ones(3).sum()
    >>> counter.n_reads
    0
    >>> with count_host_reads() as counter:
    ...     total = float(torch.ones(3).sum())
    >>> counter.n_reads
    1
    """
    # torch leaves the constructor of its dispatch modes without types.
    with _Counter() as counter:  # type: ignore[no-untyped-call]
        yield counter
