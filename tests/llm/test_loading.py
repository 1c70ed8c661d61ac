"""From names to weights."""

import builtins

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from llm.tiny import FAMILIES, build_model
from sklearn_aensae.datasets import TINY_LM, tiny_lm_path
from sklearn_aensae.llm.loading import _TRUNCATABLE, LanguageModel, resolve_name


@pytest.mark.parametrize("family", FAMILIES)
def test_tested_families_are_loaded_without_later_blocks(folders, family):
    model = LanguageModel(folders[family], (1,))
    assert model.network.config.num_hidden_layers == (2 if family in _TRUNCATABLE else 3)
    assert not model.network.training
    assert (
        LanguageModel(folders[family], (1,), with_head=True).network.config.num_hidden_layers == 3
    )


def test_every_truncatable_family_is_tested():
    assert set(FAMILIES) >= _TRUNCATABLE


@pytest.mark.parametrize("layer", [3, -4])
def test_a_layer_out_of_range_is_refused_before_weights_are_read(folder, layer, monkeypatch):
    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", None)
    with pytest.raises(ValueError, match=rf"layer={layer} is out of range: the model has 3 blocks"):
        _ = LanguageModel(folder, (layer,)).block


def test_a_layer_of_a_named_list_is_counted_there(folder):
    model = LanguageModel(folder, (-1,), block_path="layers")
    assert model.block is model.network.layers[2]
    with pytest.raises(ValueError, match="the model has 3 blocks"):
        _ = LanguageModel(folder, (3,), block_path="layers").network


def test_the_packaged_model_is_a_folder_and_other_names_are_names(tmp_path):
    assert resolve_name(TINY_LM) == str(tiny_lm_path())
    assert resolve_name("some/model") == "some/model"
    assert resolve_name(tmp_path) == str(tmp_path)


def test_tokenizer_by_object_by_name_and_by_default(folder, llama_tokenizer, tmp_path):
    assert LanguageModel(folder, (0,)).tokenizer.all_special_ids == [0]
    assert LanguageModel(folder, (0,), llama_tokenizer).tokenizer is llama_tokenizer
    llama_tokenizer.save_pretrained(tmp_path)
    assert LanguageModel(folder, (0,), tmp_path).tokenizer("a")["input_ids"][0] == 0
    model = transformers.AutoModel.from_pretrained(folder)
    assert LanguageModel(model, (0,)).tokenizer.all_special_ids == [0]


def test_a_nameless_model_asks_for_a_tokenizer():
    with pytest.raises(ValueError, match="does not know its name: pass tokenizer"):
        _ = LanguageModel(build_model("gpt2"), (0,)).tokenizer


def test_dtype_is_the_checkpoints_own_unless_asked(folder, tmp_path):
    build_model("gpt_neox").half().save_pretrained(tmp_path)
    assert str(LanguageModel(tmp_path, (0,)).network.dtype) == "torch.float16"
    assert str(LanguageModel(tmp_path, (0,), dtype="float32").network.dtype) == "torch.float32"


@pytest.mark.parametrize("device", ["nonsense", "cuda:99", torch.device("cuda:99")])
def test_a_device_that_is_not_there_is_named(folder, device):
    with pytest.raises(ValueError, match=f"device='{device}' cannot be used here"):
        _ = LanguageModel(folder, (0,), device=device).network


def test_context_is_what_both_model_and_tokenizer_can_take(folder, pythia_tokenizer):
    assert LanguageModel(folder, (0,)).context == 32
    short = transformers.PreTrainedTokenizerFast(
        tokenizer_object=pythia_tokenizer._tokenizer, model_max_length=20
    )
    assert LanguageModel(folder, (0,), short).context == 20
    bloom = transformers.BloomModel(
        transformers.BloomConfig(vocab_size=300, hidden_size=8, n_layer=1, n_head=2)
    )
    assert LanguageModel(bloom, (0,), pythia_tokenizer).context is None


def test_padding_is_the_configs_or_the_tokenizers_or_zero(pythia_tokenizer, llama_tokenizer):
    padded = transformers.PreTrainedTokenizerFast(
        tokenizer_object=llama_tokenizer._tokenizer, pad_token="</s>"
    )
    assert LanguageModel(build_model("gpt_neox"), (0,), pythia_tokenizer).pad_id == 0
    assert LanguageModel(build_model("gpt_neox"), (0,), padded).pad_id == 1
    assert LanguageModel(build_model("gpt_neox", pad_token_id=7), (0,), padded).pad_id == 7
    # Not "unset": the first id may be the pad.
    assert LanguageModel(build_model("gpt_neox", pad_token_id=0), (0,), padded).pad_id == 0


def test_missing_weights_are_not_random_in_silence(folder, tmp_path):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    model.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["gpt_neox.layers.0.attention.dense.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.warns(UserWarning, match=r"no weights for \['layers.0.attention.dense.weight'\]"):
        _ = LanguageModel(tmp_path, (0,)).network


@pytest.mark.parametrize("verbose", [False, True])
def test_loading_is_quiet_unless_asked_and_leaves_the_logger_as_it_was(
    folder, monkeypatch, verbose
):
    library = transformers.utils.logging
    load, before = transformers.AutoModel.from_pretrained, library.get_verbosity()
    during = []

    def observe(*args, **options):
        during.append((library.get_verbosity(), library.is_progress_bar_enabled()))
        return load(*args, **options)

    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", observe)
    _ = LanguageModel(folder, (0,), verbose=verbose).network
    assert during == [(before, True) if verbose else (library.ERROR, False)]
    assert (library.get_verbosity(), library.is_progress_bar_enabled()) == (before, True)


def test_without_transformers_the_extra_is_named(folder, monkeypatch):
    real = builtins.__import__

    def missing(name, *args, **options):
        if name == "transformers":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-aensae\[llm\]'"):
        _ = LanguageModel(folder, (0,)).config


def test_a_failed_load_leaves_no_trace(folders, monkeypatch):
    model, load = LanguageModel(folders["llama"], (-2,)), transformers.AutoModel.from_pretrained

    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", fail)
    with pytest.raises(KeyboardInterrupt):
        _ = model.network
    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", load)
    # The last but one of three blocks, and not of the two that are loaded.
    assert model.block is model.network.layers[1]


@pytest.mark.parametrize("pad", [-1, 300])
def test_a_pad_without_an_embedding_is_passed_over(llama_tokenizer, pad):
    network = build_model("llama")
    network.config.pad_token_id = pad
    assert LanguageModel(network, (0,), llama_tokenizer).pad_id == 0


@pytest.mark.parametrize(
    ("config", "limit"),
    [
        (transformers.RobertaConfig(max_position_embeddings=34, pad_token_id=1), 32),
        (transformers.BertConfig(max_position_embeddings=34), 34),
        (transformers.LlamaConfig(max_position_embeddings=-1), None),
    ],
)
def test_positions_that_a_model_has(config, limit):
    model = LanguageModel("name", (0,))
    vars(model)["config"] = config
    assert model.n_positions == limit
