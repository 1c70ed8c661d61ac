"""Texts become windows: the token sequences a model reads, each token knowing where it is from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: Position of a token that was added here (BOS, separator) and is not part of the text.
ADDED = -1
#: Texts that tell what a tokenizer puts around any; some know no lower case, or no letters.
_PROBES = ("a", "A", "1")
_TEXTS_PER_CALL = 64  # a fast tokenizer works on these in parallel
_TABLE = np.dtype(
    [("text", np.int64), ("position", np.int64), ("token_id", np.int64), ("token", object)]
)


class Window(NamedTuple):
    """One sequence as the model reads it; every array has one entry per token."""

    ids: Ints
    """Token ids."""
    text: Ints
    """Index of the text that the token belongs to."""
    position: Ints
    """Index of the token among its text's own tokens; `ADDED` for one that was added here."""
    fresh: Bools
    """False where an earlier window has shown the token already."""
    usable: Bools
    """False where the token is an excluded special token."""

    @property
    def kept(self) -> Bools:
        """Which tokens have a row, when no norm is out of proportion."""
        return self.fresh & self.usable


@dataclass(frozen=True)
class Windows:
    """How texts are cut into windows; `prefix` and `suffix` are added to each window."""

    tokenizer: Any
    prefix: list[int]
    suffix: list[int]
    excluded: list[int]
    max_length: int | None
    long_texts: str
    stride: int | None
    packing: bool

    def __post_init__(self) -> None:
        room = self.room
        if room is None and (self.packing or self.long_texts != "error"):
            raise ValueError("The model has no longest context of its own: pass max_length.")
        if room is not None and room < 1:
            raise ValueError(
                f"max_length={self.max_length} leaves no room for text beside the "
                f"{len(self.prefix) + len(self.suffix)} special tokens of a window."
            )
        if room is not None and self.stride is not None and self.stride > room:
            raise ValueError(
                f"stride={self.stride} would skip tokens: at most {room} fit a window."
            )

    @property
    def room(self) -> int | None:
        """Tokens of text that fit a window; None without a limit."""
        if self.max_length is None:
            return None
        return self.max_length - len(self.prefix) - len(self.suffix)

    def groups(self, texts: Iterable[str]) -> Iterator[list[Window]]:
        """Yield the windows in order: all those of one text together, or packed ones singly."""
        if self.packing:
            return self._packed(texts)
        return (self._of_text(index, ids) for index, ids in self._encoded(texts))

    def _encoded(self, texts: Iterable[str]) -> Iterator[tuple[int, Ints]]:
        """Yield the index and the token ids of each text, without any special token added."""
        index, texts = 0, iter(texts)
        while chunk := list(islice(texts, _TEXTS_PER_CALL)):
            # verbose=False: a text longer than the context is dealt with here, not warned of.
            try:
                encoded = self.tokenizer(
                    chunk, add_special_tokens=False, return_attention_mask=False, verbose=False
                )
            except TypeError:
                _refuse_bad_unicode(chunk, index)
                raise
            for ids in encoded["input_ids"]:
                if not len(ids):
                    raise ValueError(f"Text {index} is empty: it has no tokens.")
                yield index, np.asarray(ids, dtype=np.int64)
                index += 1

    def _of_text(self, index: int, ids: Ints) -> list[Window]:
        """Return the windows of one text under the rule `long_texts`."""
        room = self.room or len(ids)
        if len(ids) > room and self.long_texts == "error":
            raise ValueError(
                f"Text {index} has {len(ids)} tokens, and {room} fit max_length="
                f"{self.max_length}: set long_texts to 'truncate' or 'split', or packing=True."
            )
        body = _origin(ids, index, np.arange(len(ids)))
        if self.long_texts != "split":
            return [self._window(body[:room])]
        step = self.stride or room
        # The last window is the first that reaches the end of the text.
        starts = range(0, max(len(ids) - room, 0) + step, step)
        return [
            self._window(body[start : start + room], seen=room - step if start else 0)
            for start in starts
        ]

    def _packed(self, texts: Iterable[str]) -> Iterator[list[Window]]:
        """Join the texts with EOS between them and cut the stream; the last window may be short."""
        eos = self.tokenizer.eos_token_id
        if eos is None:
            raise ValueError(
                "packing=True needs a tokenizer with an eos_token to put between texts."
            )
        stream, room = _origin([], 0, []), self.room
        assert room is not None  # checked at the start
        for index, ids in self._encoded(texts):
            separator = _origin([eos] if index else [], index - 1, ADDED)
            stream = np.concatenate((stream, separator, _origin(ids, index, np.arange(len(ids)))))
            while len(stream) >= room:
                yield [self._window(stream[:room])]
                stream = stream[room:]
        if len(stream):
            yield [self._window(stream)]

    def _window(self, body: Ints, seen: int = 0) -> Window:
        """Surround a piece of the stream; its first `seen` tokens were shown before."""
        # A text that spells out the BOS itself must not get a second one.
        prefix = self.prefix if self.prefix[-1:] != [body[0, 0]] else self.prefix[:-1]
        if prefix or self.suffix:
            before = _origin(prefix, body[0, 1], ADDED)
            after = _origin(self.suffix, body[-1, 1], ADDED)
            body = np.concatenate((before, body, after))
        ids, text, position = body.T
        fresh = np.ones(len(ids), dtype=bool)
        fresh[len(prefix) : len(prefix) + seen] = False
        return Window(ids, text, position, fresh, self._usable.take(ids, mode="clip"))

    @cached_property
    def _usable(self) -> Bools:
        """Whether each id is not excluded; the last entry stands for all ids above."""
        usable = np.ones(max(self.excluded, default=-1) + 2, dtype=bool)
        usable[np.asarray(self.excluded, dtype=np.int64)] = False
        return usable


def _refuse_bad_unicode(texts: list[str], first: int) -> None:
    """Name the text that cannot be encoded, if that is what the tokenizer means."""
    for index, text in enumerate(texts, first):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"Text {index} is no valid Unicode: {error}. Read its file with errors='replace'."
            ) from error


def _origin(ids: Any, text: int, position: Any) -> Ints:
    """Return one row (id, text, position) per token."""
    rows = np.empty((len(ids), 3), dtype=np.int64)
    rows[:, 0], rows[:, 1], rows[:, 2] = ids, text, position
    return rows


def special_ids(tokenizer: Any) -> list[int]:
    """Return the ids of special tokens: those with a role, and those that were added as such."""
    known = getattr(tokenizer, "added_tokens_decoder", {})
    added = {i for i, token in known.items() if token.special}
    return sorted(added.union(tokenizer.all_special_ids))


def surrounding_tokens(tokenizer: Any, add_bos: bool | str) -> tuple[list[int], list[int]]:
    """Return the special tokens before and after each window.

    "auto" puts what the tokenizer itself puts around a text, True one BOS, False nothing.
    """
    if add_bos == "auto":
        for probe in _PROBES:
            bare = tokenizer(probe, add_special_tokens=False)["input_ids"]
            full = tokenizer(probe)["input_ids"]
            for start in range(len(full) if bare else 0):
                if full[start : start + len(bare)] == bare:
                    return full[:start], full[start + len(bare) :]
        raise ValueError(
            "add_bos='auto' cannot tell which special tokens this tokenizer puts around a text: "
            "set it to True or False."
        )
    if not add_bos:
        return [], []
    if tokenizer.bos_token_id is None:
        raise ValueError("add_bos=True needs a tokenizer with a bos_token; this one has none.")
    return [tokenizer.bos_token_id], []


def token_table(tokenizer: Any, parts: list[tuple[Window, Bools]]) -> NDArray[Any]:
    """Return one record (text, position, token_id, token) per emitted token of the windows."""
    table = np.empty(sum(int(emits.sum()) for _, emits in parts), dtype=_TABLE)
    table["text"] = np.concatenate([window.text[emits] for window, emits in parts])
    table["position"] = np.concatenate([window.position[emits] for window, emits in parts])
    table["token_id"] = np.concatenate([window.ids[emits] for window, emits in parts])
    distinct, which = np.unique(table["token_id"], return_inverse=True)
    table["token"] = np.array(_decode(tokenizer, distinct), dtype=object)[which]
    return table


def _decode(tokenizer: Any, ids: Ints) -> list[str]:
    """Return tokens as they read behind another: at a beginning, some lose their space."""
    anchor = tokenizer([_PROBES[0]], add_special_tokens=False)["input_ids"][0]
    (before,) = tokenizer.batch_decode([anchor])
    alone = tokenizer.batch_decode(ids[:, None])
    behind = tokenizer.batch_decode([[*anchor, int(i)] for i in ids])
    return [
        b.removeprefix(before) if anchor and b.startswith(before) else a
        for a, b in zip(alone, behind, strict=True)
    ]
