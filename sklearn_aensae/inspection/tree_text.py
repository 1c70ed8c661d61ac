"""The tree of a fitted estimator as text."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

__all__ = ["tree_text"]


def tree_text(
    estimator: Any,
    *,
    names: Sequence[str] | None = None,
    max_children: int | None = None,
    silent: bool = False,
) -> str:
    """Draw which component is under which, with the share of rows in which each fires.

    Parameters
    ----------
    estimator : TreeSAE
        Fitted estimator.
    names : sequence of str of length n_components, or None, default=None
        What to call components; None for their numbers.
    max_children : int or None, default=None
        Most children of a component to show, those that fire most; None for all.
    silent : bool, default=False
        Whether components that did not fire in the last rows of training are shown, too.

    Returns
    -------
    str
        One line per component, under its parent.

    Raises
    ------
    ValueError
        If `names` are not as many as components, or `max_children` is less than 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aensae import TreeSAE
    >>> from sklearn_aensae.inspection import tree_text
    >>> sae = TreeSAE(4, k=2, max_epochs=1, random_state=0).fit([[0.0, 1.0], [2.0, 3.0]])
    >>> sae.parents_ = np.array([-1, 0, 0, -1])
    >>> sae.feature_density_ = np.array([0.5, 0.1, 0.25, 0.0])
    >>> print(tree_text(sae, names=["animal", "cat", "dog", "?"]))
    root
    └─ animal (50.0 %)
       ├─ dog (25.0 %)
       └─ cat (10.0 %)
    """
    check_is_fitted(estimator)
    parents, density = estimator.parents_, estimator.feature_density_
    if names is not None and len(names) != len(parents):
        raise ValueError(
            f"names has {len(names)} entries, but there are {len(parents)} components."
        )
    if max_children is not None and max_children < 1:
        raise ValueError(f"max_children must be at least 1 or None; got {max_children}.")
    children: dict[int, list[int]] = {}
    for child in np.argsort(-density, kind="stable"):
        if silent or density[child] > 0:
            children.setdefault(int(parents[child]), []).append(int(child))
    labels = [str(i) for i in range(len(parents))] if names is None else names
    lines = [f"{label} ({100 * share:.1f} %)" for label, share in zip(labels, density, strict=True)]
    return "\n".join(["root", *_iter_lines(-1, children, lines, max_children)])


def _iter_lines(
    parent: int, children: dict[int, list[int]], lines: list[str], most: int | None
) -> Iterator[str]:
    """Yield the lines of all that is under a component, indented."""
    own = children.get(parent, [])
    n_left_out = 0 if most is None else max(0, len(own) - most)
    shown = own[: len(own) - n_left_out]
    for position, child in enumerate(shown, start=1):
        is_last = position == len(shown) and not n_left_out
        yield ("└─ " if is_last else "├─ ") + lines[child]
        for line in _iter_lines(child, children, lines, most):
            yield ("   " if is_last else "│  ") + line
    if n_left_out:
        yield f"└─ and {n_left_out} more"
