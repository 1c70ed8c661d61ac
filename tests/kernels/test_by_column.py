"""Entries by column against a loop."""

import pytest
import torch

from sklearn_aensae.kernels import sort_by_column


@pytest.mark.parametrize("n_entries", [0, 1, 200])
def test_against_a_loop(n_entries):
    generator = torch.Generator().manual_seed(0)
    # Whole numbers, so that there are ties; the sixth column stays empty.
    values = torch.randint(-3, 4, (n_entries,), generator=generator).float()
    columns = torch.randint(0, 5, (n_entries,), generator=generator, dtype=torch.int32)
    found = sort_by_column(values, columns, 6)
    start = 0
    for column in range(6):
        own = [i for i in range(n_entries) if columns[i] == column]
        own.sort(key=lambda i: (-values[i].item(), i))
        stop = start + len(own)
        assert found.starts[column] == start
        assert found.counts[column] == len(own)
        assert found.order[start:stop].tolist() == own
        assert found.values[start:stop].tolist() == values[own].tolist()
        assert found.columns[start:stop].tolist() == [column] * len(own)
        assert found.places[start:stop].tolist() == list(range(len(own)))
        start = stop
    assert start == n_entries
