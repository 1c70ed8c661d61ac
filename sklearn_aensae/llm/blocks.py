"""The blocks of a language model: find them, read their outputs, or put another in place."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from threading import Lock, get_ident
from typing import Any

import torch
from torch import Tensor, nn


def find_blocks(model: Any, block_path: str | None = None) -> nn.ModuleList:
    """Return the list of blocks: the module at `block_path`, or the only list of their number.

    Without a path, it is the outermost ``ModuleList`` as long as the config's
    ``num_hidden_layers``; an expert list of that length lies inside a block and does not count.
    """
    lists = {name: m for name, m in model.named_modules() if isinstance(m, nn.ModuleList)}
    if block_path is not None:
        if block_path not in lists:
            raise ValueError(
                f"block_path={block_path!r} names no list of modules in {type(model).__name__}; "
                f"its lists are {_sizes(lists)}."
            )
        return lists[block_path]
    n_blocks = model.config.get_text_config().num_hidden_layers
    hits = [name for name, found in lists.items() if len(found) == n_blocks]
    outer = [name for name in hits if not any(name.startswith(f"{hit}.") for hit in hits)]
    if len(outer) != 1:
        raise ValueError(
            f"Which list holds the {n_blocks} blocks of {type(model).__name__} is not clear: "
            f"pass block_path, one of {_sizes(lists)}."
        )
    return lists[outer[0]]


def _sizes(lists: Mapping[str, nn.ModuleList]) -> str:
    """Format module lists as ``path (length)``."""
    return ", ".join(f"{name!r} ({len(found)})" for name, found in lists.items()) or "none"


def check_layers(layers: Sequence[int], n_blocks: int) -> list[int]:
    """Return `layers` counted from the first block, or say how many blocks there are."""
    for layer in layers:
        if not -n_blocks <= layer < n_blocks:
            raise ValueError(
                f"layer={layer} is out of range: the model has {n_blocks} blocks, so layer is in "
                f"[0, {n_blocks - 1}], or in [-{n_blocks}, -1] counted from the last."
            )
    counted = [int(layer) % n_blocks for layer in layers]
    if len(set(counted)) < len(counted):
        raise ValueError(
            f"layer={list(layers)} names a block twice: the model has {n_blocks} blocks."
        )
    return counted


class _Reached(Exception):
    """The wanted blocks have answered; those after them need not run."""


@contextmanager
def reader(
    model: Any, blocks: Sequence[nn.Module]
) -> Iterator[Callable[[Mapping[str, Tensor]], list[Tensor]]]:
    """Give a function from inputs to the outputs of `blocks`; blocks after them do not run.

    Each output has shape (batch, tokens, features). Inside the context the model is in evaluation
    mode and hooked; after it, it is as it was.
    """
    read: dict[int, Tensor] = {}
    running = -1

    def keep(index: int, module: nn.Module, args: Any, output: Any) -> None:
        # Another thread's pass through a shared model.
        if get_ident() != running:
            return
        hidden = _hidden_state(output)
        if len(read.keys() | {index}) == len(blocks):
            read[index] = hidden
            raise _Reached
        # A copy, because the model goes on and may write into its own tensor.
        read[index] = hidden.clone()

    with ExitStack() as stack:
        for index, block in enumerate(blocks):
            stack.enter_context(_hooked(block, partial(keep, index)))
        forward = stack.enter_context(_inference(model))

        def run(inputs: Mapping[str, Tensor]) -> list[Tensor]:
            nonlocal running
            running = get_ident()
            read.clear()
            try:
                forward(**inputs)
            except _Reached:
                return [read.pop(index) for index in range(len(blocks))]
            raise RuntimeError(f"{type(model).__name__} answered without running a chosen block.")

        yield run


def edit_block(
    model: Any, block: nn.Module, inputs: Mapping[str, Tensor], edit: Callable[[Tensor], Tensor]
) -> Tensor:
    """Return the model's logits when `edit` is applied to the output of `block`."""
    running = get_ident()

    def replace(module: nn.Module, args: Any, output: Any) -> Any:
        # Another thread's pass through a shared model.
        if get_ident() != running:
            return output
        edited = edit(_hidden_state(output))
        return edited if isinstance(output, Tensor) else (edited, *output[1:])

    with _hooked(block, replace), _inference(model) as forward:
        logits: Tensor = forward(**inputs).logits
        return logits


def _hidden_state(output: Any) -> Tensor:
    """Return the residual stream: most blocks answer it alone, some first in a tuple."""
    hidden: Tensor = output if isinstance(output, Tensor) else output[0]
    return hidden


@contextmanager
def _hooked(block: nn.Module, hook: Callable[..., Any]) -> Iterator[None]:
    """Keep `hook` on the output of `block` for the time of the context."""
    handle = block.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _inference(model: Any) -> Iterator[Callable[..., Any]]:
    """Give the model without gradients, dropout or cache; leave its modes as they were."""
    # Some encoders know no cache; the others would fill one for nothing.
    cache = {"use_cache": False} if _accepts(model, "use_cache") else {}
    # Not inference_mode: its tensors could not enter a later backward pass.
    with _evaluation(model), torch.no_grad():
        yield partial(model, **cache)


_lock = Lock()
_in_use: dict[nn.Module, tuple[list[nn.Module], int]] = {}
"""What was in training mode of a model before its first open context, and how many are open."""


@contextmanager
def _evaluation(model: nn.Module) -> Iterator[None]:
    """Keep the model in evaluation mode; of contexts that overlap, the last restores its modes."""
    with _lock:
        in_training, n_open = _in_use.get(model, ([m for m in model.modules() if m.training], 0))
        _in_use[model] = in_training, n_open + 1
    try:
        model.eval()
        yield
    finally:
        with _lock:
            in_training, n_open = _in_use.pop(model)
            if n_open > 1:
                _in_use[model] = in_training, n_open - 1
            else:
                for module in in_training:
                    module.training = True


def _accepts(model: Any, argument: str) -> bool:
    """Whether the model's forward names `argument`."""
    return argument in inspect.signature(model.forward).parameters
