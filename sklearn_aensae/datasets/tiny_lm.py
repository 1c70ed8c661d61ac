"""A real language model, small enough to ship with the package: GPT-NeoX trained on Python code."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

if TYPE_CHECKING:
    from transformers import GPTNeoXForCausalLM, PreTrainedTokenizerBase

TINY_LM = "sklearn-aensae/tiny-stdlib-lm"
"""The model's name. It stands for the packaged folder; no hub is asked for it."""


def tiny_lm_path() -> Path:
    """Return the folder of the packaged model, which ``from_pretrained`` can read.

    Returns
    -------
    path : Path
        Folder with the weights, the tokenizer, the model card and the record of the training.

    Examples
    --------
    >>> from sklearn_aensae.datasets import tiny_lm_path
    >>> (tiny_lm_path() / "model.safetensors").is_file()
    True
    """
    return Path(__file__).parent / "data" / "tiny_stdlib_lm"


@overload
def load_tiny_lm(*, return_tokenizer: Literal[False] = ...) -> "GPTNeoXForCausalLM": ...


@overload
def load_tiny_lm(
    *, return_tokenizer: Literal[True]
) -> "tuple[GPTNeoXForCausalLM, PreTrainedTokenizerBase]": ...


def load_tiny_lm(
    *, return_tokenizer: bool = False
) -> "GPTNeoXForCausalLM | tuple[GPTNeoXForCausalLM, PreTrainedTokenizerBase]":
    """Load the packaged language model: in evaluation mode, in float32, without a network.

    The architecture is that of Pythia [1]_: 4 blocks of width 192, rotary positions, a context
    of 256 tokens, 4,096 byte-level tokens. It was trained on :func:`load_stdlib_texts`, whose
    test modules it has never seen. As in Pythia, ``<|endoftext|>`` is token 0 and stands before
    every document; the tokenizer does not add it. ``README.md`` in :func:`tiny_lm_path` is the
    model card; ``examples/train_tiny_lm.py`` trains the model anew.

    Parameters
    ----------
    return_tokenizer : bool, default=False
        Also return the tokenizer.

    Returns
    -------
    model : GPTNeoXForCausalLM
        The model. Its ``name_or_path`` is ``TINY_LM``.
    tokenizer : PreTrainedTokenizerBase
        The tokenizer. Only if ``return_tokenizer`` is true.

    Raises
    ------
    ImportError
        If transformers is not installed.

    References
    ----------
    .. [1] S. Biderman et al., "Pythia: A Suite for Analyzing Large Language Models Across
       Training and Scaling", ICML 2023, Section 2.

    Examples
    --------
    >>> from sklearn_aensae.datasets import load_tiny_lm
    >>> model, tokenizer = load_tiny_lm(return_tokenizer=True)
    >>> tokens = tokenizer("def __init__(", return_tensors="pt")
    >>> next_token = model(**tokens).logits[0, -1].argmax()
    >>> tokenizer.decode(next_token)
    'self'
    """
    try:
        from transformers import AutoTokenizer, GPTNeoXForCausalLM
    except ImportError as error:
        raise ImportError(
            'load_tiny_lm needs transformers: pip install "sklearn-aensae[llm]"'
        ) from error
    folder = tiny_lm_path()
    model: GPTNeoXForCausalLM = GPTNeoXForCausalLM.from_pretrained(folder)
    model.name_or_path = model.config._name_or_path = TINY_LM
    if not return_tokenizer:
        return model
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.name_or_path = TINY_LM
    return model, tokenizer
