"""LLMActivationTransformer against transformers' own hidden states, and against itself."""

import itertools
import tracemalloc
import weakref

import numpy as np
import pytest
import torch
import transformers
from tokenizers import processors

from llm.tiny import COMMON, FAMILIES, TEXTS, build_model, build_tokenizer, hf_rows
from sklearn_aensae.llm import LLMActivationTransformer


@pytest.fixture
def long_text():
    return " ".join(TEXTS * 3)  # several times the context


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layer", [0, 1])
def test_rows_are_transformers_hidden_states_bit_for_bit(folders, family, layer):
    folder = folders[family]
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    rows = LLMActivationTransformer(folder, layer, max_batch_tokens=1).transform(TEXTS)
    np.testing.assert_array_equal(rows, hf_rows(model, tokenizer, TEXTS, layer))


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_after_the_last_block_are_before_the_final_norm(folders, family):
    folder = folders[family]
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    by_name = LLMActivationTransformer(folder, -1, max_batch_tokens=1).transform(TEXTS)
    by_reference = LLMActivationTransformer(model, 2, max_batch_tokens=1).transform(TEXTS)
    np.testing.assert_array_equal(by_name, by_reference)
    base = model.base_model
    decoder = getattr(base, "decoder", base)
    norm = next(m for n, m in decoder.named_children() if n in {"norm", "final_layer_norm", "ln_f"})
    with torch.no_grad():
        normed = norm(torch.tensor(by_name)).numpy()
    np.testing.assert_allclose(normed, hf_rows(model, tokenizer, TEXTS, 2), atol=1e-6)


def test_negative_layers_count_from_the_last_block(activations):
    np.testing.assert_array_equal(activations(-3).transform(TEXTS), activations(0).transform(TEXTS))


@pytest.mark.parametrize("family", FAMILIES)
def test_several_layers_are_each_layer_bit_for_bit_side_by_side(folders, family):
    layers = [2, 0, 1]
    rows = LLMActivationTransformer(folders[family], layers).transform(TEXTS)
    assert rows.shape[1] == 3 * 16
    for j, layer in enumerate(layers):
        alone = LLMActivationTransformer(folders[family], layer).transform(TEXTS)
        np.testing.assert_array_equal(rows.reshape(len(rows), 3, -1)[:, j], alone)


def test_several_layers_cost_one_pass_and_no_later_block(activations):
    transformer = activations([1, 0])
    network = transformer._language_model().network
    assert len(network.layers) == 2
    ran = []
    for index, block in enumerate(network.layers):
        block.register_forward_hook(lambda *_, index=index: ran.append(index))
    transformer.transform(["a dog"])
    assert ran == [0, 1]


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_several_layers_are_pooled_each(activations, pooling):
    rows = activations([0, 2], pooling=pooling).transform(TEXTS)
    alone = [activations(layer, pooling=pooling).transform(TEXTS) for layer in (0, 2)]
    np.testing.assert_array_equal(rows, np.hstack(alone))


def test_a_row_of_several_layers_is_in_proportion_after_each(activations):
    rows = activations([0, 2]).transform(TEXTS)
    table = activations().return_tokens(TEXTS)
    norms = np.linalg.norm(rows.reshape(len(rows), 2, 16), axis=2)
    medians = np.array([np.median(norms[table["text"] == i], axis=0) for i in range(len(TEXTS))])
    within = (norms <= 1.05 * medians[table["text"]]).all(axis=1)
    filtered = activations([0, 2], max_norm_ratio=1.05)
    np.testing.assert_array_equal(filtered.transform(TEXTS), rows[within])
    np.testing.assert_array_equal(filtered.return_tokens(TEXTS), table[within])
    assert filtered.n_dropped_ == (~within).sum() > 0


def test_batches_of_unlike_lengths_give_the_same_rows_in_the_same_order(activations):
    alone = activations(max_batch_tokens=1).transform(TEXTS * 5)
    together = activations(max_batch_tokens=24).transform(TEXTS * 5)
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_tokens_name_every_row(activations):
    transformer = activations(exclude_special_tokens=False, add_bos=True)
    rows, table = transformer.transform(TEXTS), transformer.return_tokens(TEXTS)
    assert len(rows) == len(table)
    for index, text in enumerate(TEXTS):
        mine = table[table["text"] == index]
        assert mine["position"].tolist() == [-1, *range(len(mine) - 1)]
        assert mine["token"][0] == "<|endoftext|>"
        ids = transformer._language_model().tokenizer(text)["input_ids"]
        assert mine["token_id"].tolist() == [0, *ids]
        # One text alone gives the rows that the table says are its own.
        alone = transformer.transform([text])
        np.testing.assert_allclose(rows[table["text"] == index], alone, atol=1e-6)


def test_tokens_need_no_weights(activations, monkeypatch):
    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", None)
    table = activations().return_tokens(["the cat", "a dog"])
    assert "".join(table["token"]) == "the cata dog"


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_pooled_rows_are_those_of_the_tokens(activations, pooling):
    pooled = activations(pooling=pooling, max_batch_tokens=16).transform(TEXTS)
    tokens, table = activations().transform(TEXTS), activations().return_tokens(TEXTS)
    oracle = {"last": lambda rows: rows[-1], "mean": lambda r: r.mean(0), "max": lambda r: r.max(0)}
    expected = [oracle[pooling](tokens[table["text"] == i]) for i in range(len(TEXTS))]
    np.testing.assert_allclose(pooled, expected, atol=1e-6)
    assert pooled.dtype == np.float32


def test_pooled_rows_name_no_tokens(activations):
    with pytest.raises(ValueError, match="pooling='mean' gives a row per text"):
        activations(pooling="mean").return_tokens(TEXTS)


def test_a_text_without_tokens_to_pool_is_named(activations):
    with pytest.raises(ValueError, match="Text 1 has only special or dropped tokens"):
        activations(pooling="mean").transform(["a cat", "<|endoftext|>"])


def test_special_tokens_are_read_but_have_no_rows(activations):
    # The id of Pythia's only special token is 0: it is special all the same.
    with_bos = activations(add_bos=True).transform(TEXTS)
    everything = activations(add_bos=True, exclude_special_tokens=False).transform(TEXTS)
    table = activations(add_bos=True, exclude_special_tokens=False).return_tokens(TEXTS)
    np.testing.assert_array_equal(with_bos, everything[table["token_id"] != 0])
    without = activations(add_bos=False).transform(TEXTS)
    assert with_bos.shape == without.shape
    assert np.abs(with_bos - without).max() > 0.01


def test_an_encoder_reads_the_special_tokens_that_its_tokenizer_puts_around_a_text():
    tokenizer = build_tokenizer(["[CLS]", "[SEP]"], cls_token="[CLS]", sep_token="[SEP]")
    tokenizer._tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 1)]
    )
    torch.manual_seed(0)
    model = transformers.BertModel(transformers.BertConfig(**COMMON)).eval()
    everything = hf_rows(model, tokenizer, TEXTS, 2)  # no final norm: the last block will do
    ids = np.concatenate([tokenizer(text)["input_ids"] for text in TEXTS])
    rows = LLMActivationTransformer(model, -1, tokenizer=tokenizer, max_batch_tokens=16).transform(
        TEXTS
    )
    np.testing.assert_allclose(rows, everything[ids > 1], atol=1e-6)


def test_only_special_tokens_give_no_rows(activations):
    assert activations().transform(["<|endoftext|>"]).shape == (0, 16)
    assert len(activations().return_tokens(["<|endoftext|>"])) == 0


def test_packed_windows_are_those_of_the_paper(activations, whole_model):
    options = {"packing": True, "add_bos": False, "exclude_special_tokens": False}
    transformer = activations(max_length=10, max_batch_tokens=1, **options)
    rows, table = transformer.transform(TEXTS), transformer.return_tokens(TEXTS)
    tokenizer = transformer._language_model().tokenizer
    stream = tokenizer("<|endoftext|>".join(TEXTS), return_tensors="pt")["input_ids"][0]
    assert table["token_id"].tolist() == stream.tolist()
    with torch.no_grad():
        states = [
            whole_model(window[None], output_hidden_states=True).hidden_states[2][0]
            for window in stream.split(10)
        ]
    np.testing.assert_array_equal(rows, torch.cat(states).numpy())


def test_split_windows_without_overlap_are_independent_texts(activations, long_text):
    transformer = activations(long_texts="split", max_length=8, max_batch_tokens=1)
    rows, table = transformer.transform([long_text]), transformer.return_tokens([long_text])
    assert table["position"].tolist() == list(range(len(table)))
    model = transformer._language_model()
    first = model.network(torch.tensor(table["token_id"][None, 8:16])).last_hidden_state
    final = model.network.final_layer_norm(torch.tensor(rows[8:16]))
    np.testing.assert_allclose(final.detach(), first[0].detach(), atol=1e-6)


def test_overlapping_windows_give_each_token_once_with_more_context(activations, long_text):
    whole = activations(long_texts="split", stride=5, max_length=8, max_batch_tokens=1)
    rows, table = whole.transform([long_text]), whole.return_tokens([long_text])
    assert table["position"].tolist() == list(range(len(table)))
    ids = table["token_id"]
    # The second window is [5, 13), and its own tokens are [8, 13).
    network = whole._language_model().network
    with torch.no_grad():
        second = network(torch.tensor(ids[None, 5:13])).last_hidden_state[0, 3:]
        final = network.final_layer_norm(torch.tensor(rows[8:13]))
    np.testing.assert_allclose(final, second, atol=1e-6)


def test_truncated_texts_are_their_beginnings(activations, long_text):
    rows = activations(long_texts="truncate", max_length=8).transform([long_text])
    whole = activations(long_texts="split", max_length=8).transform([long_text])
    np.testing.assert_allclose(rows, whole[:8], atol=1e-6)


def test_pooled_split_texts_have_one_row(activations, long_text):
    split = {"long_texts": "split", "max_length": 8}
    texts = ["a dog", long_text, "the mat"]
    pooled = activations(pooling="mean", max_batch_tokens=1, **split).transform(texts)
    tokens = activations(**split).transform([long_text])
    assert pooled.shape == (3, 16)
    np.testing.assert_allclose(pooled[1], tokens.mean(0), atol=1e-6)


def test_a_text_beyond_the_context_is_refused_with_its_index(activations, long_text):
    with pytest.raises(ValueError, match=r"Text 1 has \d+ tokens, and 32 fit.*long_texts"):
        activations().transform(["a dog", long_text])


def test_norm_filter_is_numpys_median_rule(activations):
    rows, table = activations().transform(TEXTS), activations().return_tokens(TEXTS)
    norms = np.linalg.norm(rows, axis=1)
    medians = np.array([np.median(norms[table["text"] == i]) for i in range(len(TEXTS))])
    within = norms <= 1.05 * medians[table["text"]]
    assert 0 < within.sum() < len(rows)
    for max_batch_tokens in (1, 50):
        filtered = activations(max_norm_ratio=1.05, max_batch_tokens=max_batch_tokens)
        np.testing.assert_allclose(filtered.transform(TEXTS), rows[within], atol=1e-6)
        assert filtered.n_dropped_ == (~within).sum()
        np.testing.assert_array_equal(filtered.return_tokens(TEXTS), table[within])


def test_blocks_in_order_make_the_whole(activations):
    transformer = activations(max_batch_tokens=20)
    blocks = list(transformer.iter_transform(iter(TEXTS * 20)))
    assert len(blocks) > 2
    np.testing.assert_array_equal(np.concatenate(blocks), transformer.transform(TEXTS * 20))


def test_texts_are_read_as_blocks_are_taken(activations):
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield "the cat sat"

    blocks = activations(max_batch_tokens=12).iter_transform(endless())
    sizes = [len(next(blocks)) for _ in range(3)]
    assert len(set(sizes)) == 1
    assert taken * len(activations().return_tokens(["the cat sat"])) <= sum(sizes) + 64 * 12


@pytest.mark.parametrize(
    ("layer", "options"),
    [(1, {}), ([0, 2], {}), (1, {"pooling": "mean"}), (1, {"max_norm_ratio": 2})],
)
def test_no_more_than_one_block_is_in_memory(pythia_tokenizer, layer, options):
    # Wide, so that the rows outweigh the token ids.
    model = build_model("gpt_neox", hidden_size=512)
    transformer = LLMActivationTransformer(
        model, layer, tokenizer=pythia_tokenizer, max_batch_tokens=128, **options
    )
    blocks = transformer.iter_transform(itertools.repeat(TEXTS[2]))
    next(blocks)
    tracemalloc.start()
    try:
        next(blocks)
        tracemalloc.reset_peak()
        next(blocks)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    n_values = 16 * 128 * 512 * np.size(layer)
    assert peak < 1.3 * n_values * np.dtype(np.float32).itemsize


def test_a_text_of_any_length_comes_in_blocks(activations):
    long = " ".join(TEXTS * 100)
    transformer = activations(max_batch_tokens=64, long_texts="split")
    sizes = [len(block) for block in transformer.iter_transform([long])]
    assert sum(sizes) == len(transformer.return_tokens([long]))
    assert max(sizes) <= 16 * 64 + 32


def test_a_loaded_model_runs_up_to_the_layer_and_is_left_as_it_was(pythia_tokenizer):
    model = build_model("gpt_neox").train()  # with dropout off all the same
    model.gpt_neox.layers[0].eval()
    modes = [module.training for module in model.modules()]
    ran = []
    for index, block in enumerate(model.gpt_neox.layers):
        block.register_forward_hook(lambda *_, index=index: ran.append(index))
    transformer = LLMActivationTransformer(model, 1, tokenizer=pythia_tokenizer)
    rows = transformer.transform(TEXTS)
    assert set(ran) == {0, 1}
    assert modes == [module.training for module in model.modules()]
    model.eval()
    np.testing.assert_array_equal(transformer.transform(TEXTS), rows)
    assert len(model.gpt_neox.layers) == 3
    assert all(len(block._forward_hooks) == 1 for block in model.gpt_neox.layers)


def test_by_name_only_those_blocks_are_in_memory(activations):
    transformer = activations(0)
    transformer.transform(["a dog"])
    assert len(transformer._language_model().network.layers) == 1


@pytest.mark.parametrize(("dtype", "step"), [("float16", 2**-11), ("bfloat16", 2**-8)])
def test_rows_are_float32_whatever_the_model_computes_in(activations, dtype, step):
    rows = activations(dtype=dtype).transform(TEXTS)
    exact = activations().transform(TEXTS)
    assert rows.dtype == np.float32
    assert 0 < np.linalg.norm(rows - exact) < 8 * step * np.linalg.norm(exact)


def test_rows_may_enter_a_backward_pass(activations):
    rows = torch.from_numpy(activations().transform(["a dog"]))
    weights = torch.ones(16, requires_grad=True)
    (rows @ weights).sum().backward()
    np.testing.assert_allclose(weights.grad, rows.sum(0), rtol=1e-6)


def test_close_releases_the_model(activations):
    with activations() as transformer:
        rows = transformer.transform(["a dog"])
        network = weakref.ref(transformer._language_model().network)
    assert network() is None
    np.testing.assert_array_equal(transformer.transform(["a dog"]), rows)


def test_changed_parameters_load_another_model(activations, folders):
    transformer = activations(0)
    first = transformer.transform(["a dog"])
    transformer.set_params(layer=1)
    np.testing.assert_array_equal(
        transformer.transform(["a dog"]), activations(1).transform(["a dog"])
    )
    transformer.model = folders["llama"]
    assert not np.array_equal(transformer.set_params(layer=0).transform(["a dog"]), first)


def test_verbose_shows_progress(activations, capsys):
    activations(verbose=True).transform(TEXTS)
    assert f"{len(TEXTS)}/{len(TEXTS)}" in capsys.readouterr().err
    activations().transform(TEXTS)
    assert capsys.readouterr().err == ""
