"""Models on disk and in memory, shared by the tests of `sklearn_aensae.llm`."""

import pytest
import transformers
from tokenizers import processors

from llm.tiny import build_model, build_tokenizer
from sklearn_aensae.llm import LLMActivationTransformer


@pytest.fixture(scope="session")
def pythia_tokenizer():
    """One special token with the id 0, no padding token, no BOS by itself: as Pythia's."""
    end = "<|endoftext|>"
    return build_tokenizer([end], bos_token=end, eos_token=end)


@pytest.fixture(scope="session")
def llama_tokenizer():
    """A tokenizer that puts a BOS before every text, as Llama's."""
    tokenizer = build_tokenizer(["<s>", "</s>"], bos_token="<s>", eos_token="</s>")
    tokenizer._tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    return tokenizer


@pytest.fixture(scope="session")
def folders(tmp_path_factory, pythia_tokenizer):
    """Map each family to a folder with its model and the tokenizer."""

    class Folders(dict):
        def __missing__(self, family):
            folder = tmp_path_factory.mktemp(family)
            build_model(family).save_pretrained(folder)
            pythia_tokenizer.save_pretrained(folder)
            self[family] = str(folder)
            return self[family]

    return Folders()


@pytest.fixture(scope="session")
def folder(folders):
    """Return the folder of the default family."""
    return folders["gpt_neox"]


@pytest.fixture(scope="session")
def whole_model(folder):
    """Return the default family's model as transformers itself loads it."""
    return transformers.AutoModelForCausalLM.from_pretrained(folder)


@pytest.fixture
def activations(folder):
    """Make a transformer of the default family."""

    def make(layer=1, **options):
        return LLMActivationTransformer(folder, layer, **options)

    return make
