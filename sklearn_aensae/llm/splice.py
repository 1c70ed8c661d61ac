"""Run a model on with other activations in place, and sum what that does to its predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from sklearn_aensae.llm.blocks import edit_block
from sklearn_aensae.llm.extraction import as_floats, batches, collate, inliers, pools
from sklearn_aensae.llm.loading import LanguageModel
from sklearn_aensae.llm.pooling import Floats
from sklearn_aensae.llm.tokens import Bools, Window

#: From activations, shape (tokens, features), to what replaces them.
Edit = Callable[[Floats], Any]
_TOKENS = 256


@dataclass
class Losses:
    """Sums over predicted tokens, in nats; "clean" is the run without an edit."""

    n_tokens: int
    cross_entropy: dict[str, float]
    divergence: float
    """KL(clean || edited) of the next-token distributions, for the first edit."""


def spliced_losses(
    language_model: LanguageModel,
    groups: Iterable[list[Window]],
    max_batch_tokens: int,
    max_norm_ratio: float | None,
    edits: Mapping[str, Edit],
) -> Losses:
    """Run all windows without an edit and under each; predict all their tokens but the first.

    A token that an earlier window has shown is not predicted again.
    """
    losses = Losses(0, dict.fromkeys(("clean", *edits), 0.0), 0.0)
    first_edit = next(iter(edits))
    for pool in pools(groups, max_batch_tokens):
        for batch in batches(pool, max_batch_tokens):
            windows = [pool[i] for i in batch]
            losses.n_tokens += sum(int(window.fresh[1:].sum()) for window in windows)
            runs = _runs(language_model, windows, max_norm_ratio, edits)
            clean = next(runs)
            for name, logits in chain((clean,), runs):
                for window, before, after in zip(windows, clean[1], logits, strict=True):
                    losses.cross_entropy[name] += _cross_entropy(window, after)
                    if name == first_edit:
                        losses.divergence += _divergence(window, before, after)
    return losses


def _runs(
    language_model: LanguageModel,
    windows: list[Window],
    max_norm_ratio: float | None,
    edits: Mapping[str, Edit],
) -> Iterator[tuple[str, Tensor]]:
    """Yield the name and the logits of the clean run, then of each edited one."""
    target = (language_model.network, language_model.block, collate(language_model, windows))
    clean: list[Tensor] = []

    def look(hidden: Tensor) -> Tensor:
        # A copy, because the model goes on and may write into its own tensor.
        clean.append(hidden.clone())
        return hidden

    yield "clean", edit_block(*target, look)
    states = as_floats(clean[0])
    replaced = np.zeros(states.shape[:2], dtype=bool)
    for row, window in enumerate(windows):
        replaced[row, : len(window.ids)] = inliers(window, states[row], max_norm_ratio)
    for name, edit in edits.items():
        put = partial(_put, where=replaced, rows=_apply(edit, states[replaced]))
        yield name, edit_block(*target, put)


def _apply(edit: Edit, rows: Floats) -> Floats:
    """Return what replaces the rows; there may be none."""
    if not len(rows):
        return rows
    edited = np.asarray(edit(rows), dtype=np.float32)
    if edited.shape != rows.shape:
        raise ValueError(
            f"The reconstruction has shape {edited.shape}, the activations have {rows.shape}."
        )
    return edited


def _put(hidden: Tensor, where: Bools, rows: Floats) -> Tensor:
    """Return `hidden`, shape (windows, tokens, features), with other rows at `where`."""
    edited = hidden.clone()
    place = torch.as_tensor(where, device=hidden.device)
    # A copy: the estimator may answer a read-only array.
    edited[place] = torch.tensor(rows, device=hidden.device, dtype=hidden.dtype)
    return edited


def _cross_entropy(window: Window, logits: Tensor) -> float:
    """Return one window's summed loss."""
    total, ids = 0.0, torch.as_tensor(window.ids, device=logits.device)
    for at in _predicted(window, logits.device):
        log_q = log_softmax(logits[at].float(), -1)
        total -= log_q.gather(1, ids[at + 1, None]).sum().item()
    return total


def _divergence(window: Window, clean: Tensor, edited: Tensor) -> float:
    """Return one window's summed divergence."""
    # In double precision, or a small divergence drowns in rounding and can come out negative.
    dtype = torch.float32 if clean.device.type == "mps" else torch.float64
    total = 0.0
    for at in _predicted(window, clean.device):
        log_p, log_q = (log_softmax(logits[at].to(dtype), -1) for logits in (clean, edited))
        total += (log_p.exp() * (log_p - log_q)).sum().item()
    return total


def _predicted(window: Window, device: torch.device) -> Iterator[Tensor]:
    """Yield the positions whose next token is predicted, a few at a time.

    The probabilities of a whole batch can be gigabytes.
    """
    positions = torch.as_tensor(np.flatnonzero(window.fresh[1:]), device=device)
    for start in range(0, len(positions), _TOKENS):
        yield positions[start : start + _TOKENS]
