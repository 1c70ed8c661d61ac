"""Buffers that one training step leaves to the next: fresh memory costs as much as a product."""

import math
import operator
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

__all__ = ["Workspace", "current_workspace"]


class Workspace:
    """Large tensors by role, lent once per step and lent again in the next.

    Outside of `step` nothing is reused. Within it, whoever asks a second time for the same role
    gets fresh memory, so that no tensor of a step is ever overwritten in that step. What is
    lent lasts until the next step begins: gradients until then, codes as well.

    Parameters
    ----------
    is_for_reading : bool, default=False
        Whether weights stay as they are, so that what is made of them is worth keeping.

    Examples
    --------
    >>> import torch
    >>> from sklearn_aensae.kernels.workspace import Workspace
    >>> workspace, like = Workspace(), torch.zeros(1)
    >>> with workspace.step():
    ...     first = workspace.take("gradient", (2, 3), like)
    ...     other = workspace.take("gradient", (2, 3), like)
    >>> with workspace.step():
    ...     again = workspace.take("gradient", (2, 3), like)
    >>> first.data_ptr() == again.data_ptr(), first.data_ptr() == other.data_ptr()
    (True, False)
    """

    def __init__(self, is_for_reading: bool = False) -> None:
        self.is_for_reading = is_for_reading
        self._derived: dict[str, tuple[tuple[Tensor, ...], tuple[int, ...], Tensor | None]] = {}
        self._buffers: dict[tuple[str, torch.dtype, torch.device], Tensor] = {}
        self._lent: set[tuple[str, torch.dtype, torch.device]] = set()
        self._in_step = False

    @contextmanager
    def step(self) -> Iterator[None]:
        """Lend buffers anew; within the context this is the thread's workspace."""
        self._lent.clear()
        self._in_step, before = True, current_workspace()
        _thread.workspace = self
        try:
            yield
        finally:
            self._in_step, _thread.workspace = False, before

    def take(self, role: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Uninitialised tensor of this shape, of the kind and on the device of `like`."""
        key = (role, like.dtype, like.device)
        if not self._in_step or key in self._lent:
            return torch.empty(shape, dtype=like.dtype, device=like.device)
        size = math.prod(shape)
        buffer = self._buffers.get(key)
        if buffer is None or len(buffer) < size:
            buffer = torch.empty(size, dtype=like.dtype, device=like.device)
            self._buffers[key] = buffer
        self._lent.add(key)
        # A new tensor on the same memory: autograd may keep it as a gradient without a copy.
        return buffer[:size].view(shape).detach()

    def scratch(self, role: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Memory for the time of a call: whoever asks next for the role gets the same.

        Large temporaries that are made anew in a loop, with small results between them, would
        leave holes on the heap into which the next one does not fit.
        """
        if not self._in_step:
            return torch.empty(shape, dtype=like.dtype, device=like.device)
        self._lent.discard((role, like.dtype, like.device))
        return self.take(role, shape, like)

    def derived(
        self,
        role: str,
        sources: tuple[Tensor, ...],
        make: Callable[..., Tensor | None],
        *,
        at_once: bool = False,
    ) -> Tensor | None:
        """Return what `make` gives for tensors, made when it is asked for a second time.

        None if that was the first time, unless it is to be made `at_once`, if `make` gives None,
        and where weights change. The last tensors asked for are kept, so that no others can be
        taken for them.
        """
        if not self._in_step or not self.is_for_reading:
            return None
        versions = tuple(source._version for source in sources)
        before, its_versions, found = self._derived.get(role, ((), (), None))
        same = len(before) == len(sources) and all(map(operator.is_, before, sources))
        is_known = same and versions == its_versions
        if not is_known:
            found = None
        if found is None and (is_known or at_once):
            found = make(*sources)
        self._derived[role] = sources, versions, found
        return found

    def lends(self, role: str, tensor: Tensor) -> bool:
        """Whether this tensor is the one that was lent for a role in the present step."""
        key = (role, tensor.dtype, tensor.device)
        return key in self._lent and self._buffers[key].data_ptr() == tensor.data_ptr()

    def __reduce__(self) -> tuple[type["Workspace"], tuple[bool]]:
        """Copy and pickle as a new one: its memory holds nothing that lasts."""
        return Workspace, (self.is_for_reading,)


_thread = threading.local()
_NOTHING = Workspace()


def current_workspace() -> Workspace:
    """Return the workspace whose step this thread is in; one that lends nothing twice if none."""
    workspace: Workspace = getattr(_thread, "workspace", _NOTHING)
    return workspace
