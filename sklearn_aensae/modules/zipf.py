"""Zipf's law: how often each component fires, if the r-th most frequent follows a power of r."""

import torch
from torch import Tensor

__all__ = ["zipf_densities"]


def zipf_densities(n_components: int, k: int, exponent: float, offset: float) -> Tensor:
    r"""Shares of rows on which components fire, the most frequent first.

    .. math:: d_r = \min(1, C (r + q)^{-a}), \qquad \sum_r d_r = k

    No component fires on more rows than there are: what the law would give the first ones beyond
    that goes to the others, in proportion.

    Parameters
    ----------
    n_components : int
        Number of components.
    k : int
        Components that fire on the mean row, at most `n_components`.
    exponent, offset : float
        a and q, both >= 0: q = 0 is Zipf's law, q > 0 Mandelbrot's, a = 0 gives all the same.

    Returns
    -------
    Tensor of shape (n_components,)
        In double precision.
    """
    ranks = torch.arange(1, n_components + 1, dtype=torch.float64)
    shares = (ranks + offset) ** -exponent
    densities = torch.ones_like(shares)
    for n_always in range(k):
        rest = shares[n_always:]
        densities[n_always:] = (k - n_always) * rest / rest.sum()
        if densities[n_always] <= 1:
            break
        densities[n_always] = 1
    return densities
