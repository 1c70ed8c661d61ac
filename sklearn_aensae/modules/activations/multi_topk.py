"""Multi-TopK: in training, the largest codes and, with them, a wider choice that has them all."""

import torch
from torch import Tensor

from sklearn_aensae.kernels import ActiveCodes, Pattern, Selected, select_top
from sklearn_aensae.modules.activations.topk import TopK

__all__ = ["MultiTopK"]


class MultiTopK(TopK):
    """TopK that also hands on the `multi_k` largest codes, as `codes.wider`, while it trains.

    One selection serves both: the k largest are found among the others.

    Parameters
    ----------
    k, multi_k : int
        Active components per row, and those of the wider choice, at least k.
    """

    def __init__(self, k: int, multi_k: int) -> None:
        super().__init__(k)
        self.multi_k = multi_k

    def select(self, block: Tensor) -> Selected:
        """Choose the largest entries of each row."""
        return select_top(block, self.multi_k if self.training else self.k)

    def active_codes(self, values: Tensor, pattern: Pattern, bias: Tensor) -> ActiveCodes:
        """Codes of the k largest of the selected pre-codes, and the wider ones with them."""
        codes = super().active_codes(values, pattern, bias)
        if not self.training:
            return codes
        rows = values.detach().view(pattern.n_rows, self.multi_k)
        columns = rows.topk(self.k, dim=1, sorted=False).indices.sort(1).values
        starts = torch.arange(0, len(values), self.multi_k, device=values.device)
        kept = (columns + starts.unsqueeze(1)).flatten()
        return ActiveCodes(codes.values.index_select(0, kept), pattern.chosen(kept), wider=codes)

    def extra_repr(self) -> str:
        """Show both numbers in the module's repr."""
        return f"k={self.k}, multi_k={self.multi_k}"
