"""What terms of dead features have in common."""

import torch

from sklearn_aensae.dead_features import AuxK


def test_what_was_looked_up_moves_along():
    assert AuxK(4).to("meta").dead_indices.is_meta


def test_it_stays_integer():
    term = AuxK(4).to(torch.float64)
    assert term.weight.dtype == torch.float64
    assert term.dead_indices.dtype == torch.long
