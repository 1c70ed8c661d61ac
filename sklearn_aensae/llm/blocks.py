"""The blocks of a language model: find them, read one's output, or put another in its place."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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


def check_layer(layer: int, n_blocks: int) -> int:
    """Return `layer` counted from the first block, or say how many there are."""
    if not -n_blocks <= layer < n_blocks:
        raise ValueError(
            f"layer={layer} is out of range: the model has {n_blocks} blocks, so layer is in "
            f"[0, {n_blocks - 1}], or in [-{n_blocks}, -1] counted from the last."
        )
    return layer % n_blocks


class _Reached(Exception):
    """The wanted block has answered; the blocks after it need not run."""


def read_block(model: Any, block: nn.Module, inputs: Mapping[str, Tensor]) -> Tensor:
    """Return the output of `block`, shape (batch, tokens, features); later blocks do not run."""
    read: list[Tensor] = []

    def stop(module: nn.Module, args: Any, output: Any) -> None:
        read.append(_hidden_state(output))
        raise _Reached

    with _hooked(block, stop):
        try:
            _forward(model, inputs)
        except _Reached:
            return read[0]
    raise RuntimeError(f"{type(model).__name__} answered without running the chosen block.")


def edit_block(
    model: Any, block: nn.Module, inputs: Mapping[str, Tensor], edit: Callable[[Tensor], Tensor]
) -> Tensor:
    """Return the model's logits when `edit` is applied to the output of `block`."""

    def replace(module: nn.Module, args: Any, output: Any) -> Any:
        edited = edit(_hidden_state(output))
        return edited if isinstance(output, Tensor) else (edited, *output[1:])

    with _hooked(block, replace):
        logits: Tensor = _forward(model, inputs).logits
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


def _forward(model: Any, inputs: Mapping[str, Tensor]) -> Any:
    """Run the model without gradients, dropout or cache, and leave its modes as they were."""
    in_training = [module for module in model.modules() if module.training]
    # Some encoders know no cache; the others would fill one for nothing.
    cache = {"use_cache": False} if _accepts(model, "use_cache") else {}
    model.eval()
    try:
        # Not inference_mode: its tensors could not enter a later backward pass.
        with torch.no_grad():
            return model(**inputs, **cache)
    finally:
        for module in in_training:
            module.training = True


def _accepts(model: Any, argument: str) -> bool:
    """Whether the model's forward names `argument`."""
    return argument in inspect.signature(model.forward).parameters
