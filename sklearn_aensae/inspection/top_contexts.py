"""Where a feature fires most strongly, in the words around it."""

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sklearn_aensae._numbers import check_number

__all__ = ["Context", "top_contexts"]

GAP = "…"
"""Stands for tokens that have no row, such as the outliers that `max_norm_ratio` drops."""


class Context(NamedTuple):
    """One place where a feature fires."""

    code: float
    """How strongly."""
    before: str
    """The text before the token; an ellipsis stands for tokens that have no row."""
    token: str
    """The token at which the feature fires."""
    after: str
    """The text after it, likewise."""
    row: int
    """Row of the codes."""


def top_contexts(
    codes: Any, tokens: NDArray[Any], feature: int, *, n_contexts: int = 5, width: int = 8
) -> list[Context]:
    """Find the strongest activations of a feature, with the text around each.

    Parameters
    ----------
    codes : ndarray, data frame or CSR/CSC array of shape (n_tokens, n_components)
        Codes of all tokens. CSC is fastest for many features.
    tokens : structured ndarray of shape (n_tokens,)
        The table that `LLMActivationTransformer.return_tokens` gives for the same texts.
    feature : int
        Component.
    n_contexts : int, default=5
        Most contexts to return; at most one per text, as repetitions teach nothing.
    width : int, default=8
        Tokens shown on each side.

    Returns
    -------
    list of Context
        Strongest first; empty if the feature never fires.

    Raises
    ------
    ValueError, TypeError
        If codes and tokens have different lengths, there is no such feature, `n_contexts` is no
        integer of at least 1, or `width` none of at least 0.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aensae.inspection import top_contexts
    >>> tokens = np.array([(0, "x"), (0, " ="), (0, " 1")], dtype=[("text", int), ("token", "O")])
    >>> top_contexts(np.array([[0.0], [2.0], [0.0]]), tokens, 0)
    [Context(code=2.0, before='x', token=' =', after=' 1', row=1)]
    """
    check_number(n_contexts, "n_contexts", Integral, min_val=1)
    check_number(width, "width", Integral, min_val=0)
    # A data frame, say, that `set_output` asked for.
    codes = codes if sparse.issparse(codes) else np.asarray(codes)
    if not isinstance(feature, Integral):
        raise TypeError(f"feature must be the index of one component; got {feature!r}.")
    if codes.shape[0] != len(tokens):
        raise ValueError(f"codes has {codes.shape[0]} rows, but tokens has {len(tokens)}.")
    if not 0 <= feature < codes.shape[1]:
        raise ValueError(f"feature must be in [0, {codes.shape[1]}); got {feature}.")
    column = codes[:, [feature]]
    column = (column.toarray() if sparse.issparse(column) else np.asarray(column))[:, 0]
    found: list[Context] = []
    seen: set[int] = set()
    for row in np.argsort(-column, kind="stable"):
        if column[row] <= 0 or len(found) == n_contexts:
            break
        if (text := int(tokens["text"][row])) not in seen:
            seen.add(text)
            found.append(_context(float(column[row]), tokens, int(row), width))
    return found


def _context(code: float, tokens: NDArray[Any], row: int, width: int) -> Context:
    """Join the tokens around a row that belong to its text, and mark where some are missing."""
    start = max(0, row - width)
    near = tokens[start : row + width + 1]
    same = near["text"] == tokens["text"][row]
    words = np.where(same, near["token"], "")
    middle = row - start
    before, after = list(words[:middle]), list(words[middle + 1 :])
    if "position" in (near.dtype.names or ()):
        # Tokens that were added, such as a BOS between two windows, have no place in the text.
        own = np.flatnonzero(same & (near["position"] >= 0))
        for i in own[1:][np.diff(near["position"][own]) > 1]:
            if i <= middle:
                before[i - 1] += GAP
            else:
                after[i - middle - 1] = GAP + after[i - middle - 1]
    return Context(code, "".join(before), str(words[middle]), "".join(after), row)
