"""Windows go through the model in batches of like length and come back as rows, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sklearn_aensae.llm.blocks import read_block
from sklearn_aensae.llm.loading import LanguageModel
from sklearn_aensae.llm.pooling import Floats, pool
from sklearn_aensae.llm.tokens import Bools, Window

_BATCHES_PER_POOL = 8  # windows are sorted by length among these; more would save little padding


class Chunk(NamedTuple):
    """The rows of some consecutive windows."""

    rows: Floats
    """Activations of the emitted tokens, shape (tokens, features)."""
    windows: list[Window]
    """The windows they are from."""
    emitted: list[Bools]
    """For each window, which of its tokens have a row."""

    @property
    def n_dropped(self) -> int:
        """Tokens that the norm filter left out."""
        return sum(int(window.kept.sum()) for window in self.windows) - len(self.rows)

    def pooled(self, how: str) -> Floats:
        """Return the rows themselves, or one for each text."""
        parts = zip(self.windows, self.emitted, strict=True)
        text = np.concatenate([window.text[emits] for window, emits in parts])
        if how != "tokens":
            without = {int(window.text[0]) for window in self.windows} - set(text.tolist())
            if without:
                raise ValueError(f"Text {min(without)} has only special or dropped tokens to pool.")
        return pool(self.rows, text, how)


def extract(
    language_model: LanguageModel,
    groups: Iterable[list[Window]],
    batch_size: int,
    max_norm_ratio: float | None,
) -> Iterator[Chunk]:
    """Yield the rows of the windows in order; groups stay together."""
    for windows in pools(groups, batch_size):
        rows: list[Floats] = [np.empty((0, 0), dtype=np.float32)] * len(windows)
        emitted = [window.usable for window in windows]
        for batch in batches(windows, batch_size):
            inputs = collate(language_model, [windows[i] for i in batch])
            hidden = read_block(language_model.network, language_model.block, inputs)
            for i, states in zip(batch, as_floats(hidden), strict=True):
                emitted[i] = windows[i].fresh & inliers(windows[i], states, max_norm_ratio)
                rows[i] = states[: len(emitted[i])][emitted[i]]
        yield Chunk(np.concatenate(rows), windows, emitted)


def as_floats(hidden: Tensor) -> Floats:
    """Return the activations in float32 on the host, which bfloat16 needs to enter NumPy."""
    floats: Floats = hidden.cpu().float().numpy()
    return floats


def inliers(window: Window, states: Floats, max_norm_ratio: float | None) -> Bools:
    """Return the usable tokens, less those whose norm is out of proportion in their window.

    The median norm of the window is the measure, so the answer depends on nothing around it.
    """
    if max_norm_ratio is None or not window.usable.any():
        return window.usable
    norms = np.linalg.norm(states[: len(window.ids)], axis=1)
    within: Bools = norms <= max_norm_ratio * np.median(norms[window.usable])
    return window.usable & within


def pools(groups: Iterable[list[Window]], batch_size: int) -> Iterator[list[Window]]:
    """Gather whole groups until there are windows for a few batches."""
    gathered: list[Window] = []
    for group in groups:
        gathered += group
        if len(gathered) >= _BATCHES_PER_POOL * batch_size:
            yield gathered
            gathered = []
    if gathered:
        yield gathered


def batches(windows: list[Window], batch_size: int) -> Iterator[list[int]]:
    """Yield indices of windows, the longest first, so that a batch holds like lengths."""
    order = sorted(range(len(windows)), key=lambda i: -len(windows[i].ids))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def collate(language_model: LanguageModel, windows: list[Window]) -> dict[str, Tensor]:
    """Pad the windows on the right to one length and mask the padding, on the model's device.

    On the right, because there a causal model cannot see it and positions start at zero.
    """
    length = max(len(window.ids) for window in windows)
    ids = np.full((len(windows), length), language_model.pad_id, dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, window in enumerate(windows):
        ids[row, : len(window.ids)] = window.ids
        mask[row, : len(window.ids)] = 1
    if ids.max() >= language_model.vocab_size:  # on a GPU the model itself would take it down
        raise ValueError(
            f"The tokenizer does not belong to the model: it gives the id {ids.max()}, "
            f"the model has {language_model.vocab_size} embeddings."
        )
    device = language_model.network.device
    return {
        "input_ids": torch.as_tensor(ids, device=device),
        "attention_mask": torch.as_tensor(mask, device=device),
    }
