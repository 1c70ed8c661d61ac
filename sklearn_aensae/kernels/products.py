"""Who computes sparse products: torch's own operators, or Triton kernels where asked for."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from sklearn_aensae.kernels import torch_products

__all__ = ["Products", "products_on", "use_triton"]

Lend = Callable[[tuple[int, int]], Tensor]


class Products(Protocol):
    """Products with a sparse matrix S in CSR form; a module that has them is an option."""

    def product(
        self,
        values: Tensor,
        columns: Tensor,
        row_starts: Tensor,
        b: Tensor,
        lend: Lend | None = None,
    ) -> Tensor:
        """Sparse times dense, S @ b.

        Parameters
        ----------
        values, columns : Tensors of shape (n_entries,)
            Entries of S row by row; columns are int32.
        row_starts : int32 Tensor of shape (n_rows + 1,)
            Where each row begins, and the number of entries.
        b : Tensor of shape (n_columns, width)
            Dense factor.
        lend : callable or None
            Gives contiguous memory of a shape, whatever it holds, to whoever can write into it;
            None for new memory.
        """

    def sampled_product(self, columns: Tensor, row_starts: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """Entries of a @ b.T at the entries of S: shape (n_entries,).

        Parameters
        ----------
        columns, row_starts : int32 Tensors of shape (n_entries,) and (n_rows + 1,)
            As in `product`.
        a, b : Tensors of shape (n_rows, width) and (n_columns, width)
            Dense factors.
        """


_by_device_type: dict[str, Products] = {}
"""Products other than torch's."""


def products_on(device: torch.device) -> Products:
    """Return the products in use for tensors on a device."""
    return _by_device_type.get(device.type, torch_products)


def use_triton(enabled: bool = True) -> None:
    """Compute sparse products on CUDA by the library's Triton kernels, or by torch's again.

    Both give the same up to rounding; torch's are the default: on an H200, with 131,072 components
    of 4,096 features, a TopK step took 33 ms with them and 52 ms with Triton's, which are not tuned
    (`python -m tests.benchmarks.device`). The choice holds for the whole process and for steps that
    begin after it. Tensors on other devices stay with torch, except in Triton's interpreter
    (``TRITON_INTERPRET=1`` in the environment before Triton is imported): it runs the kernels on
    CPU tensors, slowly, for tests.

    Parameters
    ----------
    enabled : bool, default=True
        Whether to use Triton.

    Raises
    ------
    ImportError
        If Triton is not installed.

    Examples
    --------
    >>> from sklearn_aensae.kernels import use_triton
    >>> use_triton(False)
    """
    if not enabled:
        _by_device_type.clear()
        return
    try:
        from sklearn_aensae.kernels import triton_products
    except ImportError as error:
        raise ImportError(
            f"use_triton() needs Triton, which cannot be imported: {error}. It comes with torch "
            "for CUDA on Linux; without it, torch's own products are used."
        ) from error
    _by_device_type["cuda"] = triton_products
    if triton_products.INTERPRETED:
        _by_device_type["cpu"] = triton_products
