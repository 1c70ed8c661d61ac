"""LLMActivationTransformer: texts in, a language model's residual stream after one block out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from operator import methodcaller
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import TransformerMixin
from sklearn.utils import Tags
from tqdm.auto import tqdm

from sklearn_aensae.llm.columns import NamesColumns
from sklearn_aensae.llm.extraction import Chunk, extract
from sklearn_aensae.llm.options import windows
from sklearn_aensae.llm.pooling import POOLINGS, Floats
from sklearn_aensae.llm.tokens import Window, token_table
from sklearn_aensae.llm.validation import (
    DTYPE,
    LAYER,
    MODEL,
    OPTIONAL_NAME,
    RATIO,
    check_params,
    check_texts,
    each_text,
)
from sklearn_aensae.params import DEVICE, AtLeast, Boolean, OneOf


@dataclass(eq=False, repr=False)
class LLMActivationTransformer(TransformerMixin, NamesColumns):
    r"""Turn texts into the residual stream of a language model after block `layer`.

    For the tokens :math:`t_1, \dots, t_n` of a text, row :math:`i` is

    .. math:: x_i = h^{(\ell)}_i = h^{(\ell - 1)}_i + \mathrm{block}_\ell(h^{(\ell - 1)})_i,

    before any final norm: ``hidden_states[layer + 1]`` of transformers, except after the last
    block, where those are normed. Blocks after `layer` do not run.

    There is nothing to fit. A model given by name is loaded at the first use and released by
    `close` or at the end of a ``with`` block; pickles, clones and the keys of caches
    (``Pipeline(memory=...)``, with which a search runs the model once) hold its name only.

    Parameters
    ----------
    model : str, path or PreTrainedModel
        Hub name, folder, or a loaded model, which is used as it is and never changed.
    layer : int or list of int
        Index of the block, from 0; negative values count from the last block. Several are read in
        one pass, which costs what the last of them costs, and stand side by side in a row, in the
        order given: ``X.reshape(len(X), len(layer), -1)[:, j]`` are the rows of ``layer[j]``.
    tokenizer : str, path, PreTrainedTokenizerBase or None, default=None
        None is the model's own, by its name.
    pooling : {"tokens", "last", "mean", "max"}, default="tokens"
        "tokens" gives a row per token, what a sparse autoencoder is trained on; the others give
        a row per text, over the tokens that "tokens" would give.
    max_length : int or None, default=None
        Tokens in a window, special tokens included. None is the model's context.
    long_texts : {"error", "truncate", "split"}, default="error"
        What becomes of a text that is longer than a window. "split" covers it with windows.
    stride : int or None, default=None
        For "split": tokens from one window's start to the next. Below the window's length the
        windows overlap; a token seen twice has one row, that of its first window. None is no
        overlap.
    packing : bool, default=False
        Join the texts, an EOS between two, and cut the stream into windows of `max_length`; the
        last one may be shorter. The AEN paper has ``packing=True, max_length=128,
        add_bos=False, exclude_special_tokens=False``.
    add_bos : {"auto", True, False}, default="auto"
        Start of each window. "auto" surrounds it with the special tokens with which the
        tokenizer surrounds a text (a BOS for Llama and Gemma, nothing for Pythia, GPT-2 and
        Qwen), True puts one BOS before it, False nothing. A window that starts with a BOS of its
        own gets no second one.
    exclude_special_tokens : bool, default=True
        Give no rows for the tokenizer's special tokens, wherever they come from; the model reads
        them all the same. Norms of a BOS and other attention sinks are often far above the rest.
    max_norm_ratio : float or None, default=None
        Give no rows for tokens whose norm, after any of the layers, is above this multiple of the
        median norm in their window (10 is common); `n_dropped_` counts them. None keeps all.
    block_path : str or None, default=None
        Path of the list of blocks, such as "transformer.h". None searches for it.
    max_batch_tokens : int, default=2048
        Tokens in a forward pass, padding included; a window that is longer goes alone. Windows
        are sorted by length among about 16 batches, whose rows are in memory at a time, and no
        batch is padded by more than 12 %. It changes speed and memory, and the rows by rounding
        only, unless the model looks at how long the padded batch is, as those with "longrope"
        embeddings (Phi-3) do where windows on both sides of their original context meet.
    dtype : {"float32", "float16", "bfloat16"} or None, default=None
        What the model computes in; None is the checkpoint's own. Rows are float32 always.
    device : str or torch.device, default="auto"
        "cpu", "cuda", "cuda:1", "mps", ...; "auto" is CUDA if there is one, else the CPU.
    trust_remote_code : bool, default=False
        Run code that comes with the model.
    revision : str or None, default=None
        Branch, tag or commit of what is loaded by name.
    verbose : bool, default=False
        Show progress.

    Attributes
    ----------
    n_dropped_ : int
        Tokens that `max_norm_ratio` left out in the last complete pass.

    Raises
    ------
    ValueError
        A parameter is not allowed, the model or its revision does not exist, `layer` is out of
        range, a text is empty or too long.
    TypeError
        An item is not a string; its index is named.
    ConnectionError, PermissionError
        The hub could not be reached; the model is gated.

    References
    ----------
    Feature Starvation as Geometric Instability in Sparse Autoencoders (2026), language model
    experiments: the packed windows. :arxiv:`2605.05341`.

    Examples
    --------
    >>> from sklearn_aensae.datasets import TINY_LM
    >>> from sklearn_aensae.llm import LLMActivationTransformer
    >>> texts = ["def add(a, b):", "import os"]
    >>> with LLMActivationTransformer(TINY_LM, layer=0) as activations:
    ...     X = activations.transform(texts)
    ...     table = activations.return_tokens(texts)
    >>> len(X) == len(table)
    True
    >>> "".join(table["token"][table["text"] == 1])
    'import os'
    >>> LLMActivationTransformer(TINY_LM, layer=-1, pooling="mean").transform(texts).shape[0]
    2
    """

    model: Annotated[Any, MODEL]
    layer: Annotated[int | Sequence[int], LAYER]
    _: KW_ONLY
    tokenizer: Any = None
    pooling: Annotated[str, OneOf("tokens", *POOLINGS)] = "tokens"
    max_length: Annotated[int | None, AtLeast(1, optional=True)] = None
    long_texts: Annotated[str, OneOf("error", "truncate", "split")] = "error"
    stride: Annotated[int | None, AtLeast(1, optional=True)] = None
    packing: Annotated[bool, Boolean()] = False
    add_bos: Annotated[bool | str, OneOf("auto", True, False)] = "auto"
    exclude_special_tokens: Annotated[bool, Boolean()] = True
    max_norm_ratio: Annotated[float | None, RATIO] = None
    block_path: Annotated[str | None, OPTIONAL_NAME] = None
    max_batch_tokens: Annotated[int, AtLeast(1)] = 2048
    dtype: Annotated[str | None, DTYPE] = None
    device: Annotated[Any, DEVICE] = "auto"
    trust_remote_code: Annotated[bool, Boolean()] = False
    revision: Annotated[str | None, OPTIONAL_NAME] = None
    verbose: Annotated[bool, Boolean()] = False

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters and the texts; learn nothing.

        Parameters
        ----------
        X : list, array or Series of str
            Texts.
        y : None
            Ignored.

        Returns
        -------
        self : LLMActivationTransformer
            This object, unchanged.
        """
        check_params(self)
        check_texts(X)
        return self

    def transform(self, X: Any) -> Any:
        """Return the activations of all texts, in their order.

        Parameters
        ----------
        X : list, array or Series of str
            Texts.

        Returns
        -------
        activations : ndarray of shape (n_rows, n_layers * hidden_size), float32
            A row per token or, pooled, per text; layer by layer.
        """
        check_params(self)
        # Token ids are small beside activations: cut first, count, and hold the rows only once.
        groups = list(self._groups(check_texts(X)))
        rows, filled = np.empty((0, 0), dtype=np.float32), 0
        for block in self._blocks(groups):
            if not filled:
                rows = np.empty((self._most_rows(groups), block.shape[1]), dtype=np.float32)
            rows[filled : filled + len(block)] = block
            filled += len(block)
        rows.resize((filled, rows.shape[1]), refcheck=False)
        return self._indexed(rows, X)

    def iter_transform(self, X: Iterable[str]) -> Iterator[Floats]:
        """Yield the activations in blocks, and hold no more than the block that is being made.

        Parameters
        ----------
        X : iterable of str
            Texts; a generator will do, and is read as the blocks are taken.

        Yields
        ------
        block : ndarray of shape (n_rows, n_layers * hidden_size), float32
            The next rows of what `transform` returns.
        """
        check_params(self)
        return self._blocks(self._groups(each_text(X)))

    def return_tokens(self, X: Any) -> NDArray[Any]:
        """Return what each row of `transform` is the activation of.

        The model does not run, unless `max_norm_ratio` asks for norms.

        Parameters
        ----------
        X : list, array or Series of str
            The texts given to `transform`.

        Returns
        -------
        table : structured ndarray of shape (n_rows,)
            Fields: ``text``, index into `X`; ``position`` among the tokens of that text, -1 for
            a token that was added (BOS, separator); ``token_id``; ``token``, the decoded string.

        Raises
        ------
        ValueError
            With pooling other than "tokens": there, row i is text i.
        """
        check_params(self)
        if self.pooling != "tokens":
            raise ValueError(f"pooling={self.pooling!r} gives a row per text, not per token.")
        groups = self._groups(check_texts(X))
        if self.max_norm_ratio is None:
            parts = [(window, window.kept) for group in groups for window in group]
        else:
            chunks = self._chunks(groups)
            parts = [
                part for chunk in chunks for part in zip(chunk.windows, chunk.emitted, strict=True)
            ]
        return token_table(self._language_model().tokenizer, parts)

    def _groups(self, texts: Iterable[str]) -> Iterator[list[Window]]:
        """Cut texts into windows."""
        return windows(self, self._language_model()).groups(texts)

    def _chunks(self, groups: Iterable[list[Window]]) -> Iterator[Chunk]:
        """Run the windows; count at the end what the norm filter dropped."""
        shown: Iterable[list[Window]] = tqdm(
            groups, disable=not self.verbose, unit="window" if self.packing else "text"
        )
        if self.pooling == "tokens":  # a long text need not be in one block
            shown = ([window] for group in shown for window in group)
        n_dropped = 0
        for chunk in extract(
            self._language_model(), shown, self.max_batch_tokens, self.max_norm_ratio
        ):
            n_dropped += chunk.n_dropped
            yield chunk
            del chunk  # or it would be in memory while the next is made
        self.n_dropped_ = n_dropped

    def _blocks(self, groups: Iterable[list[Window]]) -> Iterator[Floats]:
        """Run the windows, and pool their rows."""
        # Not a generator: its variable would hold a chunk while the next is made.
        return map(methodcaller("pooled", self.pooling), self._chunks(groups))

    def _most_rows(self, groups: list[list[Window]]) -> int:
        """Return how many rows the windows have when no norm is out of proportion."""
        if self.pooling != "tokens":
            return len(groups)
        return sum(int(window.kept.sum()) for group in groups for window in group)

    def _indexed(self, rows: Floats, texts: Any) -> Any:
        """Give the rows of a frame their index: the texts' own if pooled, a new one for tokens.

        scikit-learn would put the texts' index on tokens, and before 1.7 none on pooled rows.
        """
        asked = getattr(self, "_sklearn_output_config", {}).get("transform")
        if (asked or get_config()["transform_output"]) != "pandas":
            return rows
        import pandas as pd

        pooled = self.pooling != "tokens" and isinstance(texts, pd.Series)
        return pd.DataFrame(rows, index=texts.index if pooled else None)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags
