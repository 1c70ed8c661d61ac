"""Counts reads of the device by the host: each would stall a GPU in the middle of a step."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["count_host_reads"]


class _Counter(TorchDispatchMode):
    """Counts operations whose result, or whose shape, the host must wait for."""

    n_reads = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        repeats_unknown = func in _REPEATING and kwargs.get("output_size") is None
        if func in _READS or repeats_unknown or (func in _INDEXING and _has_mask(args[1])):
            self.n_reads += 1
        return func(*args, **kwargs)


class _Copies(TorchFunctionMode):
    """Counts what asks a CPU's tensor for no operation at all."""

    def __init__(self, counter: _Counter) -> None:
        super().__init__()
        self.counter = counter

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _COPIES or (func in _SPLITTING and _has_tensor([*args[1:], *kwargs.values()])):
            self.counter.n_reads += 1
        return func(*args, **kwargs)


_aten = torch.ops.aten
_READS = {
    _aten._local_scalar_dense.default,  # .item(), float(), bool(), if tensor
    _aten._unique2.default,
    _aten.allclose.default,
    _aten.bincount.default,
    _aten.equal.default,
    _aten.masked_select.default,
    _aten.nonzero.default,
    _aten.unique_consecutive.default,
    _aten.unique_dim.default,
}
# Without a number of results the sum of the repeats is read.
_REPEATING = {_aten.repeat_interleave.Tensor}
# On the CPU, x[mask] shows none of the above.
_INDEXING = {_aten.index.Tensor, _aten.index_put.default, _aten.index_put_.default}
_COPIES = {
    torch.Tensor.__array__,
    torch.Tensor.cpu,
    torch.Tensor.numpy,
    torch.Tensor.tolist,
}
_SPLITTING = {torch.tensor_split, torch.Tensor.tensor_split}


def _has_tensor(arguments: list[Any]) -> bool:
    """Whether a tensor says where to split."""
    return any(isinstance(argument, torch.Tensor) for argument in arguments)


def _has_mask(indices: Any) -> bool:
    """Whether an index contains a boolean mask."""
    return any(isinstance(i, torch.Tensor) and i.dtype == torch.bool for i in indices)


@contextmanager
def count_host_reads() -> Iterator[_Counter]:
    """Count host reads within the context; works on the CPU, where they cost nothing.

    What a CPU's tensors cannot show is a copy by ``tensor.to("cpu")`` and what code in C++ reads
    within one operation. A chain such as ``tensor.cpu().numpy()`` counts twice.

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
    with _Counter() as counter, _Copies(counter):  # type: ignore[no-untyped-call]
        yield counter
