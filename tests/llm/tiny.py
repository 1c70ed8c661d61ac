"""Tiny random models and tokenizers, built from configs: no test needs a network."""

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

CONTEXT = 32
COMMON = {
    "vocab_size": 300,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": CONTEXT,
}
ROTARY = COMMON | {"num_key_value_heads": 1, "head_dim": 8}
GPT2 = {"vocab_size": 300, "n_embd": 16, "n_layer": 3, "n_head": 2, "n_positions": CONTEXT}
FAMILIES = {
    "gpt_neox": ("GPTNeoXConfig", COMMON),
    "llama": ("LlamaConfig", ROTARY),
    "gpt2": ("GPT2Config", GPT2),
    "qwen2": ("Qwen2Config", COMMON | {"num_key_value_heads": 1}),
    "qwen3": ("Qwen3Config", ROTARY),
    "gemma": ("GemmaConfig", ROTARY),
    "gemma2": ("Gemma2Config", ROTARY),
    "gemma3_text": (
        "Gemma3TextConfig",
        ROTARY | {"layer_types": ["sliding_attention"] * 2 + ["full_attention"]},
    ),
    "mistral": ("MistralConfig", ROTARY),
    # As many experts as blocks: the search for the blocks must not take the expert lists.
    "mixtral": ("MixtralConfig", ROTARY | {"num_local_experts": 3}),
    # Its blocks answer a tuple.
    "gpt_neo": (
        "GPTNeoConfig",
        {
            "vocab_size": 300,
            "hidden_size": 16,
            "num_layers": 3,
            "num_heads": 2,
            "attention_types": [[["global"], 3]],
            "max_position_embeddings": CONTEXT,
        },
    ),
}
TEXTS = [
    "the cat sat on the mat",
    "a dog",
    "it ran far away over the hills and under the bridge",
    "the mat",
    "café, naïve: 12 + 30 = 42",
]


def build_model(family, **changes):
    """Return a random causal language model whose weights are far from zero."""
    name, options = FAMILIES[family]
    config = getattr(transformers, name)(**(options | changes))
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def build_tokenizer(special, **named):
    """Return a byte-level BPE tokenizer; special tokens have the first ids."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=290,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(TEXTS, trainer)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=bpe, **named)


def hf_rows(model, tokenizer, texts, layer):
    """Return transformers' own hidden states after block `layer`, one text at a time."""
    states = []
    for text in texts:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.no_grad():
            answer = model(ids, output_hidden_states=True, use_cache=False)
        states.append(answer.hidden_states[layer + 1][0])
    return torch.cat(states).numpy()
