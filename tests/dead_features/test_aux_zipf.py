"""aux_zipf: which components count as dying, and what it is for those."""

import numpy as np
import pytest
import torch

from sklearn_aensae.dead_features import AuxK, AuxZipf
from sklearn_aensae.modules import Autoencoder
from sklearn_aensae.modules.activations import TopK
from sklearn_aensae.modules.decoders import LinearDecoder
from sklearn_aensae.modules.encoder import LinearEncoder
from sklearn_aensae.modules.initialization import initialize_
from sklearn_aensae.modules.zipf import zipf_densities

LAW = zipf_densities(8, 2, 1.0, 1.0)


def make(counts, n_samples=100):
    """A module that has counted these firings in a whole window, and data."""
    module = Autoencoder(LinearEncoder(4, 8), TopK(2), LinearDecoder(4, 8)).double()
    x = torch.randn(30, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    initialize_(module, "data", x, torch.Generator().manual_seed(0))
    tracker = module.tracker
    tracker.window = tracker.n_previous = tracker.n_seen = n_samples
    tracker.previous_counts.copy_(torch.tensor(counts))
    tracker.samples_since_fired.copy_(n_samples * (tracker.previous_counts == 0))
    return module.eval(), x


def naive_find(counts, share, n_samples=100):
    law = LAW.numpy()
    by_density = sorted(range(8), key=lambda j: (-counts[j], j))
    return [
        j
        for rank, j in enumerate(by_density)
        if counts[j] == 0 or counts[j] / n_samples < share * min(law[rank], law.mean())
    ]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize(
    "counts",
    [
        [60, 40, 30, 25, 20, 14, 6, 5],
        [0, 40, 3, 25, 20, 0, 2, 90],
        [25] * 8,
        [12, 11, 10, 9, 8, 7, 6, 5],
        [0] * 8,
    ],
)
def test_the_set_against_a_loop(counts, share):
    module, _ = make(counts)
    found = AuxZipf(2, LAW, share).double().find(module)
    assert found.nonzero().flatten().tolist() == sorted(naive_find(counts, share))


def test_low_use_counts_and_not_only_none():
    counts = [60, 40, 30, 25, 20, 14, 6, 5]
    module, x = make(counts)
    term, auxk = AuxZipf(2, LAW, 0.5).double().train(), AuxK(2).train()
    assert float(auxk(x, module(x), module)) == 0
    value = term(x, module(x), module)
    assert value.item() > 0
    assert term.dead_indices.tolist() == [6, 7]


def test_what_follows_zipf_costs_nothing():
    counts = (10_000 * LAW).round().long().tolist()
    module, x = make(counts, n_samples=10_000)
    for term in (AuxZipf(2, LAW, 0.5).double(), AuxK(2)):
        assert float(term.train()(x, module(x), module)) == 0


def test_before_a_window_has_passed_only_the_dead_count():
    counts = [60, 40, 30, 25, 20, 14, 6, 0]
    module, _ = make(counts)
    module.tracker.n_previous, module.tracker.n_counted = 0, 100
    found = AuxZipf(2, LAW, 1.0).double().find(module)
    assert found.nonzero().flatten().tolist() == [7]


@pytest.mark.parametrize("counts", [[0, 40, 3, 25, 20, 0, 2, 90], [0] * 8])
def test_with_a_share_of_zero_it_is_auxk(counts):
    gradients = []
    for term in (AuxZipf(2, LAW, 0.0).double(), AuxK(2).double()):
        module, x = make(counts)
        value = term.train()(x, module(x), module)
        value.backward()
        gradients.append([value, *(p.grad for p in module.parameters())])
    assert gradients[0][0].item() > 0
    for mine, theirs in zip(*gradients, strict=True):
        assert torch.equal(mine, theirs)


def test_value_against_numpy():
    counts = [60, 4, 30, 0, 20, 3, 50, 45]
    module, x = make(counts)
    output = module(x)
    value = AuxZipf(2, LAW, 0.5).double().train()(x, output, module)
    some = naive_find(counts, 0.5)
    assert len(some) > 2
    W, c = module.encoder.weight.detach().numpy()[some], module.encoder.bias.detach().numpy()[some]
    D, b = module.decoder.atoms.detach().numpy()[some], module.decoder.bias.detach().numpy()
    pre_codes = (x.numpy() - b) @ W.T + c
    kept = np.where(pre_codes >= np.sort(pre_codes, 1)[:, -2:-1], np.maximum(pre_codes, 0), 0)
    e = (x - output.reconstruction).detach().numpy()
    expected = ((e - kept @ D) ** 2).sum() / (e**2).sum()
    assert value.item() == pytest.approx(expected, rel=1e-10)
