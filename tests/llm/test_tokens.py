"""How texts become windows."""

import numpy as np
import pytest
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from llm.tiny import TEXTS, build_tokenizer
from sklearn_aensae.llm.tokens import (
    ADDED,
    Windows,
    special_ids,
    surrounding_tokens,
    token_table,
)

DEFAULTS = {
    "prefix": [],
    "suffix": [],
    "excluded": [0],
    "max_length": 8,
    "long_texts": "error",
    "stride": None,
    "packing": False,
}


class Letters:
    """A tokenizer of letters: a is 1, b is 2, and so on; EOS is 0 and spelled "."."""

    eos_token_id = 0
    bos_token_id = 0

    def __call__(self, texts, **options):
        assert options["add_special_tokens"] is False
        return {"input_ids": [[max(ord(letter) - 96, 0) for letter in text] for text in texts]}

    def batch_decode(self, ids):
        return ["".join(chr(i + 96) if i else "." for i in row) for row in np.asarray(ids).tolist()]


def cut(texts, **options):
    windows = Windows(Letters(), **(DEFAULTS | options))
    return list(windows.groups(texts))


def spell(window):
    return Letters().batch_decode([window.ids])[0]


def test_a_text_is_a_window():
    ((window,), (other,)) = cut(["abc", "d"])
    assert window.ids.tolist() == [1, 2, 3]
    assert window.text.tolist() == [0, 0, 0]
    assert window.position.tolist() == [0, 1, 2]
    assert window.kept.all()
    assert (other.ids.tolist(), other.text.tolist()) == ([4], [1])


def test_special_tokens_surround_each_window_and_are_no_part_of_the_text():
    ((window,),) = cut(["abc"], prefix=[25, 26], suffix=[24], excluded=[24, 25])
    assert spell(window) == "yzabcx"
    assert window.position.tolist() == [ADDED, ADDED, 0, 1, 2, ADDED]
    assert window.text.tolist() == [0] * 6
    assert window.usable.tolist() == [False, True, True, True, True, False]


def test_a_bos_that_the_text_spells_out_is_not_doubled():
    ((first,), (second,)) = cut([".ab", "ab"], prefix=[0])
    assert first.ids.tolist() == second.ids.tolist() == [0, 1, 2]
    assert first.position.tolist() == [0, 1, 2]
    assert second.position.tolist() == [ADDED, 0, 1]
    assert first.kept.tolist() == [False, True, True]


def test_the_id_zero_is_a_token_like_another():
    ((window,),) = cut(["a.b"], excluded=[])
    assert window.kept.tolist() == [True, True, True]


def test_room_counts_the_special_tokens():
    assert len(cut(["abcdef"], prefix=[0], suffix=[0])) == 1
    with pytest.raises(ValueError, match="Text 1 has 7 tokens, and 6 fit max_length=8"):
        cut(["a", "abcdefg"], prefix=[0], suffix=[0])


def test_truncation_keeps_the_beginning():
    (group,) = cut(["abcdefghij"], long_texts="truncate", prefix=[0])
    assert [spell(window) for window in group] == [".abcdefg"]


@pytest.mark.parametrize(
    ("stride", "expected"),
    [
        (None, ["abcd", "efgh", "ij"]),
        (4, ["abcd", "efgh", "ij"]),
        (3, ["abcd", "defg", "ghij"]),
        (2, ["abcd", "cdef", "efgh", "ghij"]),
        (1, ["abcd", "bcde", "cdef", "defg", "efgh", "fghi", "ghij"]),
    ],
)
def test_split_windows_cover_the_text_and_show_each_token_once(stride, expected):
    (group,) = cut(["abcdefghij"], long_texts="split", stride=stride, max_length=4)
    assert [spell(window) for window in group] == expected
    fresh = np.concatenate([window.ids[window.fresh] for window in group])
    assert fresh.tolist() == list(range(1, 11))
    assert [w.position[0] for w in group] == [ord(text[0]) - 97 for text in expected]


def test_in_overlapping_windows_what_is_added_is_shown_each_time():
    (group,) = cut(["abcdef"], long_texts="split", stride=2, max_length=6, prefix=[25], suffix=[26])
    assert [spell(window) for window in group] == ["yabcdz", "ycdefz"]
    first, second = (window.fresh.tolist() for window in group)
    assert first == [True] * 6
    # Of the BOS, c, d, e, f and the suffix, the first window has shown c and d.
    assert second == [True, False, False, True, True, True]


def test_a_text_that_fits_is_not_split():
    (group,) = cut(["abcd"], long_texts="split", stride=1, max_length=4)
    assert [spell(window) for window in group] == ["abcd"]


def test_packing_joins_texts_with_eos_and_loses_nothing():
    groups = cut(["abc", "de", "fghij"], packing=True, max_length=5, excluded=[])
    assert [spell(window) for (window,) in groups] == ["abc.d", "e.fgh", "ij"]
    window = groups[1][0]
    assert window.text.tolist() == [1, 1, 2, 2, 2]
    assert window.position.tolist() == [1, ADDED, 0, 1, 2]


def test_packed_windows_each_start_with_the_prefix():
    groups = cut(["abc", "de", "fghij"], packing=True, max_length=5, prefix=[26])
    assert [spell(window) for (window,) in groups] == ["zabc.", "zde.f", "zghij"]


def test_what_surrounds_a_packed_window_belongs_to_the_texts_at_its_ends():
    ((window,), _) = cut(["abc", "de"], packing=True, max_length=7, prefix=[25], suffix=[26])
    assert spell(window) == "yabc.dz"
    assert window.text.tolist() == [0, 0, 0, 0, 0, 1, 1]
    assert window.position.tolist() == [ADDED, 0, 1, 2, ADDED, 0, ADDED]


def test_no_limit_takes_any_text_but_cannot_cut():
    ((window,),) = cut(["abcdefghijklm"], max_length=None)
    assert len(window.ids) == 13
    for cutting in ({"packing": True}, {"long_texts": "split"}, {"long_texts": "truncate"}):
        with pytest.raises(ValueError, match="no longest context of its own: pass max_length"):
            cut(["a"], max_length=None, **cutting)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_length": 2, "prefix": [0, 0]}, "max_length=2 leaves no room for text beside the 2"),
        ({"long_texts": "split", "stride": 9}, "stride=9 would skip tokens: at most 8 fit"),
    ],
)
def test_windows_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        cut(["a"], **options)


def test_a_text_without_tokens_is_named():
    with pytest.raises(ValueError, match="Text 70 is empty: it has no tokens"):
        cut(["a"] * 70 + [""])


def test_packing_needs_a_separator(pythia_tokenizer, monkeypatch):
    monkeypatch.setattr(Letters, "eos_token_id", None)
    with pytest.raises(ValueError, match="packing=True needs a tokenizer with an eos_token"):
        cut(["a"], packing=True)


def test_auto_is_what_the_tokenizer_does(pythia_tokenizer, llama_tokenizer):
    assert surrounding_tokens(pythia_tokenizer, "auto") == ([], [])
    assert surrounding_tokens(llama_tokenizer, "auto") == ([0], [])


def test_auto_needs_a_tokenizer_that_only_adds():
    def other_in_context(text, add_special_tokens=True):
        return {"input_ids": [0, 5] if add_special_tokens else [1]}

    with pytest.raises(ValueError, match="add_bos='auto' cannot tell"):
        surrounding_tokens(other_in_context, "auto")


def test_add_bos_is_one_bos_or_none(pythia_tokenizer, llama_tokenizer):
    for tokenizer in (pythia_tokenizer, llama_tokenizer):
        assert surrounding_tokens(tokenizer, True) == ([0], [])
        assert surrounding_tokens(tokenizer, False) == ([], [])


def test_add_bos_needs_a_bos(monkeypatch):
    monkeypatch.setattr(Letters, "bos_token_id", None)
    with pytest.raises(ValueError, match="add_bos=True needs a tokenizer with a bos_token"):
        surrounding_tokens(Letters(), True)


def test_table_has_a_record_per_emitted_token():
    ((window,),) = cut(["a.b"])
    table = token_table(Letters(), [(window, window.kept)])
    assert table.tolist() == [(0, 0, 1, "a"), (0, 2, 2, "b")]


def test_special_tokens_need_no_role():
    tokenizer = build_tokenizer(["<s>"], bos_token="<s>")
    tokenizer.add_tokens([AddedToken("<|im|>", special=True), AddedToken("plain")])
    found = tokenizer.convert_tokens_to_ids(["<s>", "<|im|>"])
    assert special_ids(tokenizer) == sorted(found)


def test_what_surrounds_is_told_by_what_the_tokenizer_knows():
    def upper_case(text, add_special_tokens=True):
        ids = [5] * (text == text.upper() and text.isalpha())
        return {"input_ids": [0, *ids, 1] if add_special_tokens else ids}

    assert surrounding_tokens(upper_case, "auto") == ([0], [1])


def test_tokens_keep_the_space_before_them():
    pieces = Tokenizer(models.BPE())
    pieces.pre_tokenizer, pieces.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    pieces.train_from_iterator(TEXTS * 3, trainers.BpeTrainer(vocab_size=200, show_progress=False))
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=pieces)
    ((window,),) = Windows(tokenizer, **DEFAULTS).groups(["the cat sat"])
    table = token_table(tokenizer, [(window, window.kept)])
    assert "".join(table["token"]) == " the cat sat"


def test_a_text_that_is_no_unicode_is_named():
    windows = Windows(build_tokenizer(["<s>"]), **DEFAULTS)
    with pytest.raises(ValueError, match=r"Text 1 is no valid Unicode: .*surrogates"):
        list(windows.groups(["ok", "x\ud800y"]))
