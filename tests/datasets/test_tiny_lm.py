"""The packaged language model: whole, small, and good enough that its features mean something.

``training.json`` holds the figures over all held-out modules; here a slice of them is measured.
"""

import json
import math
import socket
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

from sklearn_aensae.datasets import TINY_LM, load_stdlib_texts, load_tiny_lm, tiny_lm_path

END_OF_TEXT = "<|endoftext|>"
N_WINDOWS, CONTEXT = 32, 256


@pytest.fixture(scope="module")
def model():
    return load_tiny_lm()


@pytest.fixture(scope="module")
def tokenizer():
    return load_tiny_lm(return_tokenizer=True)[1]


@pytest.fixture(scope="module")
def record():
    return json.loads((tiny_lm_path() / "training.json").read_text())


@pytest.fixture(scope="module")
def windows(tokenizer):
    """Windows evenly spread over the held-out modules, each with one more token to predict."""
    stream = _stream(tokenizer, "test")
    starts = np.linspace(0, len(stream) - CONTEXT - 1, N_WINDOWS).astype(int)
    return torch.from_numpy(np.stack([stream[i : i + CONTEXT + 1] for i in starts]))


@pytest.fixture(scope="module")
def clean(model, windows):
    return _nats(model, windows)


def _stream(tokenizer, subset):
    encodings = tokenizer(load_stdlib_texts(subset), verbose=False)["input_ids"]
    return np.concatenate([[0, *ids] for ids in encodings])


@torch.inference_mode()
def _nats(model, windows):
    logits = model(windows[:, :-1]).logits
    return cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten()).item()


def _n_bytes(tokenizer, tokens):
    # Byte-level tokens are spelt with one character per byte.
    spelt = tokenizer.convert_ids_to_tokens(tokens.tolist())
    return sum(len(token) for token in spelt if token != END_OF_TEXT)


def test_loads_in_single_precision_ready_to_use(model):
    assert type(model).__name__ == "GPTNeoXForCausalLM"
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert model.dtype == torch.float32 == model.config.dtype
    assert not model.training
    assert model.name_or_path == model.config._name_or_path == TINY_LM


def test_loads_without_a_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    _, tokenizer = load_tiny_lm(return_tokenizer=True)
    assert tokenizer.name_or_path == TINY_LM


def test_names_the_extra_without_transformers(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match=r'pip install "sklearn-aensae\[llm\]"'):
        load_tiny_lm()


def test_half_precision_on_disk_and_within_10_megabytes(model):
    weights = load_file(tiny_lm_path() / "model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float16}
    for name, weight in model.named_parameters():
        assert torch.equal(weight, weights[name].float())
    assert sum(file.stat().st_size for file in tiny_lm_path().iterdir()) <= 10e6


def test_no_paths_of_the_machine_that_trained_it():
    for file in ("config.json", "generation_config.json", "tokenizer_config.json"):
        values = json.loads((tiny_lm_path() / file).read_text()).values()
        assert not any(str(value).startswith(("/", "~", "C:")) for value in values)


def test_tokenizer_round_trip(tokenizer):
    for text in (*load_stdlib_texts("test")[:5], "naïve — 日本 🎈\n\t  x\r\n"):
        assert tokenizer.decode(tokenizer(text, verbose=False)["input_ids"]) == text


def test_end_of_text_is_token_0_as_in_pythia(tokenizer, model):
    assert tokenizer(END_OF_TEXT)["input_ids"] == [0]
    assert tokenizer("x")["input_ids"] != [0]
    special = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    assert special == (0, 0, 0)
    assert len(tokenizer) == model.config.vocab_size == 4096
    assert tokenizer.model_max_length == model.config.max_position_embeddings == CONTEXT


def test_held_out_bits_per_byte(clean, windows, tokenizer, record):
    targets = windows[:, 1:].flatten()
    bits_per_byte = clean * len(targets) / _n_bytes(tokenizer, targets) / math.log(2)
    assert bits_per_byte <= 1.32
    assert bits_per_byte == pytest.approx(record["bits_per_byte"]["model"], rel=0.1)
    assert record["bits_per_byte"]["model"] <= 1.32


def test_better_than_counting_tokens_and_pairs(clean, windows, tokenizer, record):
    train, size = _stream(tokenizer, "train"), len(tokenizer)
    first, second = windows[:, :-1].flatten().numpy(), windows[:, 1:].flatten().numpy()
    counts = np.bincount(train, minlength=size)
    pairs = np.bincount(train[:-1] * size + train[1:], minlength=size**2)
    share = ((counts + 1) / (len(train) + size))[second]
    unigram = -np.log(share).mean()
    bigram = -np.log((pairs[first * size + second] + 32 * share) / (counts[first] + 32)).mean()
    assert clean < bigram - 1 < unigram - 2
    recorded = record["nats_per_token"]
    assert [unigram, bigram] == pytest.approx([recorded["unigram"], recorded["bigram"]], rel=0.1)


@pytest.mark.parametrize("block", [1, 2])
def test_the_middle_of_the_network_carries_the_prediction(model, windows, clean, block, record):
    layer, outputs = model.gpt_neox.layers[block], []
    handle = layer.register_forward_hook(lambda *args: outputs.append(args[-1]))
    _nats(model, windows)
    handle.remove()
    mean = outputs[0].mean((0, 1))
    handle = layer.register_forward_hook(lambda *args: mean.expand_as(args[-1]))
    cost = _nats(model, windows) - clean
    handle.remove()
    assert cost >= 4
    assert cost == pytest.approx(record["mean_ablation_cost_nats"][block], rel=0.2)


def test_the_model_card_quotes_the_record(record):
    card = (tiny_lm_path() / "README.md").read_text()
    figures = [*record["bits_per_byte"].values(), *record["nats_per_token"].values()]
    assert all(f"{value:.2f}" in card for value in figures)
    assert all(f"{value:.1f}" in card for value in record["mean_ablation_cost_nats"])
    counts = ("parameters", "train_tokens", "held_out_tokens", "steps", "tokens_seen")
    assert all(f"{record[name]:,}" in card for name in counts)
