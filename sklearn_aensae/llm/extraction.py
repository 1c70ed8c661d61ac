"""Windows go through the model in batches of like length and come back as rows, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sklearn_aensae.llm.blocks import reader
from sklearn_aensae.llm.loading import LanguageModel
from sklearn_aensae.llm.pooling import Floats, pool
from sklearn_aensae.llm.tokens import Bools, Window

# Windows are sorted by length among these. Lengths uniform in 8 to 256 are then padded by 4 %, for
# batches of 1024 to 4096 tokens; 8 batches would make it 6 %, 32 would make it 3 %.
_BATCHES_PER_POOL = 16
_MOST_PADDING = 0.12  # of a batch: few texts, or one long among short, would be padded by more


class Chunk(NamedTuple):
    """The rows of some consecutive windows."""

    rows: Floats
    """Activations of the emitted tokens, shape (tokens, layers * features)."""
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
        if how == "tokens":
            return self.rows
        parts = zip(self.windows, self.emitted, strict=True)
        text = np.concatenate([window.text[emits] for window, emits in parts])
        without = {int(window.text[0]) for window in self.windows} - set(text.tolist())
        if without:
            raise ValueError(f"Text {min(without)} has only special or dropped tokens to pool.")
        return pool(self.rows, text, how)


def extract(
    language_model: LanguageModel,
    groups: Iterable[list[Window]],
    max_batch_tokens: int,
    max_norm_ratio: float | None,
) -> Iterator[Chunk]:
    """Yield the rows of the windows in order; groups stay together."""
    for windows in pools(groups, max_batch_tokens):
        # Not bound to a name: the chunk before would be in memory while the next is made.
        yield _chunk(language_model, windows, max_batch_tokens, max_norm_ratio)


def _chunk(
    language_model: LanguageModel,
    windows: list[Window],
    max_batch_tokens: int,
    max_norm_ratio: float | None,
) -> Chunk:
    """Run the windows in batches and put each one's rows where they belong."""
    kept = [window.kept for window in windows]
    stops = np.cumsum([np.count_nonzero(keeps) for keeps in kept])
    places = list(map(slice, [0, *stops[:-1]], stops))
    emitted = list(kept)
    rows: Floats | None = None  # its width is known when the first batch has run
    with reader(language_model.network, language_model.blocks) as read:
        for batch in batches(windows, max_batch_tokens):
            hidden = read(collate(language_model, [windows[i] for i in batch]))
            if rows is None:
                shape = (stops[-1], len(hidden), hidden[0].shape[-1])
                rows = np.empty(shape, dtype=np.float32)
            for layer, states in enumerate(map(as_floats, hidden)):
                for i, of_window in zip(batch, states, strict=True):
                    place, tokens = rows[places[i], layer], of_window[: len(kept[i])]
                    np.compress(kept[i], tokens, axis=0, out=place)
                    if max_norm_ratio is not None:
                        emitted[i] = emitted[i] & inliers(windows[i], of_window, max_norm_ratio)
    assert rows is not None  # a pool is not empty
    if max_norm_ratio is not None:
        stay = [emits[keeps] for emits, keeps in zip(emitted, kept, strict=True)]
        rows = _closed_up(rows, places, stay)
    return Chunk(rows.reshape(len(rows), prod(rows.shape[1:])), windows, emitted)


def _closed_up(rows: Floats, places: list[slice], stay: list[Bools]) -> Floats:
    """Return the rows that stay, moved together in place: no second block in memory."""
    filled = 0
    for place, stays in zip(places, stay, strict=True):
        moved = rows[place][stays]
        rows[filled : filled + len(moved)] = moved
        filled += len(moved)
    return rows[:filled]


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


def pools(groups: Iterable[list[Window]], max_batch_tokens: int) -> Iterator[list[Window]]:
    """Gather whole groups until there are tokens for a few batches."""
    gathered: list[Window] = []
    n_tokens = 0
    for group in groups:
        gathered += group
        n_tokens += sum(len(window.ids) for window in group)
        if n_tokens >= _BATCHES_PER_POOL * max_batch_tokens:
            yield gathered
            gathered, n_tokens = [], 0
    if gathered:
        yield gathered


def batches(windows: list[Window], max_batch_tokens: int) -> Iterator[list[int]]:
    """Yield indices of windows, the longest first, so that a batch holds like lengths.

    A batch has at most `max_batch_tokens`, padding included, or one window that is longer; and it
    ends before more than 12 % of it would be padding.
    """
    lengths = [len(window.ids) for window in windows]
    order = sorted(range(len(windows)), key=lengths.__getitem__, reverse=True)
    start = 0
    while start < len(order):
        longest = lengths[order[start]]
        candidates = order[start : start + max(1, max_batch_tokens // longest)]
        filled = np.cumsum([lengths[i] for i in candidates])
        # The share of tokens only falls as shorter windows follow.
        dense = filled >= (1 - _MOST_PADDING) * longest * np.arange(1, len(filled) + 1)
        n_windows = int(np.count_nonzero(dense))
        yield candidates[:n_windows]
        start += n_windows


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
