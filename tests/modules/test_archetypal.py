"""The archetypal decoder: its formula and gradients, its constraints, its first weights."""

import numpy as np
import pytest
import torch
from helpers import from_slots

from sklearn_aensae.kernels import DenseCodes
from sklearn_aensae.modules.decoders import ArchetypalDecoder
from sklearn_aensae.modules.decoders.archetypal import k_means

N_COMPONENTS, N_FEATURES = 8, 5


def make_decoder(n_candidates=6, delta=0.5, kind="rows", sample=None, seed=0):
    decoder = ArchetypalDecoder(N_FEATURES, N_COMPONENTS, n_candidates, delta, kind).double()
    generator = torch.Generator().manual_seed(seed)
    if sample is None:
        sample = torch.randn(40, N_FEATURES, generator=generator, dtype=torch.float64) + 3
    with torch.no_grad():
        decoder.bias.copy_(sample.mean(0))
        decoder.initialize_("data", sample, generator)
    return decoder, sample


def disturb(decoder, size=0.3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.add_(size * torch.randn(parameter.shape, generator=generator))


def atoms_of(decoder):
    """Atoms, by plain numpy."""
    S, L, m = (p.detach().numpy() for p in (decoder.shares, decoder.relaxation, decoder.log_scale))
    return np.exp(m) * np.stack(
        [s @ decoder.candidates.numpy() + r for s, r in zip(S, L, strict=True)]
    )


@pytest.mark.parametrize("kind", ["active", "dense"])
def test_decoder_is_the_formula_with_the_gradients_of_autograd(kind):
    decoder, _ = make_decoder()
    disturb(decoder)
    values = torch.rand(6, 3, dtype=torch.float64).requires_grad_()
    columns = torch.rand(6, N_COMPONENTS).argsort(1)[:, :3]
    codes = from_slots(values, columns, N_COMPONENTS)
    dense = codes.dense()
    made = decoder(codes if kind == "active" else DenseCodes(dense))
    np.testing.assert_allclose(decoder.dictionary().detach(), atoms_of(decoder), atol=1e-12)
    expected = dense.detach().numpy() @ atoms_of(decoder) + decoder.bias.detach().numpy()
    np.testing.assert_allclose(made.detach(), expected, atol=1e-12)
    parameters = [values, *decoder.parameters()]
    target = torch.randn(6, N_FEATURES, dtype=torch.float64)
    plain = dense @ decoder.dictionary() + decoder.bias
    found, naive = (
        torch.autograd.grad((x - target).square().sum(), parameters, retain_graph=True)
        for x in (made, plain)
    )
    for ours, theirs in zip(found, naive, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("delta", [0.0, 0.5])
@pytest.mark.parametrize("size", [0.01, 1.0, 100.0])
def test_constraints_hold_after_any_step(delta, size):
    decoder, _ = make_decoder(delta=delta)
    disturb(decoder, size)
    with torch.no_grad():
        decoder.shares[0] = torch.tensor([-3.0, -1.0, -2.0, -9.0, -4.0, -7.0])
        decoder.shares[1] = 0
    decoder.constrain_()
    shares = decoder.shares.detach()
    assert bool((shares >= 0).all())
    torch.testing.assert_close(shares.sum(1), torch.ones(N_COMPONENTS, dtype=torch.float64))
    # The one that was least wrong has it all.
    assert shares[0].tolist() == [0, 1, 0, 0, 0, 0]
    assert float(decoder.relaxation.detach().norm(dim=1).max()) <= delta * (1 + 1e-12)
    before = [p.detach().clone() for p in decoder.parameters()]
    decoder.constrain_()
    for ours, theirs in zip(decoder.parameters(), before, strict=True):
        torch.testing.assert_close(ours.detach(), theirs)


def test_what_is_short_enough_stays_as_it_is():
    decoder, _ = make_decoder(delta=2.0)
    with torch.no_grad():
        decoder.relaxation[0] = torch.tensor([0.0, 1.0, 0.0, -1.0, 0.5])
        decoder.relaxation[1] = torch.tensor([3.0, 0.0, 4.0, 0.0, 0.0])
    decoder.constrain_()
    assert decoder.relaxation[0].tolist() == [0.0, 1.0, 0.0, -1.0, 0.5]
    expected = torch.tensor([1.2, 0.0, 1.6, 0.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(decoder.relaxation[1].detach(), expected)


@pytest.mark.parametrize("n_candidates", [2, 6, 30, 100])
def test_each_atom_starts_at_a_candidate_or_a_mixture(n_candidates):
    decoder, sample = make_decoder(n_candidates)
    shares, atoms = decoder.shares.detach(), decoder.dictionary().detach()
    torch.testing.assert_close(shares.sum(1), torch.ones(N_COMPONENTS, dtype=torch.float64))
    assert float(shares.min()) >= 0
    n_alone = min(n_candidates, N_COMPONENTS)
    assert (shares[:n_alone].max(1).values == 1).all()
    assert ((shares[n_alone:] > 0).sum(1) == 2).all()
    assert float(atoms.norm(dim=1).mean()) == pytest.approx(1)
    assert float(torch.pdist(atoms).min()) > 1e-3
    from_bias = sample - decoder.bias
    distances = torch.cdist(decoder.candidates, from_bias).min(1).values
    assert float(distances.detach().max()) < 1e-6
    n_different = len(decoder.candidates.unique(dim=0))
    assert n_different == min(n_candidates, len(sample))


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_data_that_are_all_alike_can_start(value):
    sample = torch.full((10, N_FEATURES), value, dtype=torch.float64)
    decoder, _ = make_decoder(kind="kmeans", sample=sample)
    disturb(decoder, 1e-3)
    decoder.constrain_()
    assert all(bool(p.isfinite().all()) for p in decoder.parameters())
    assert float(decoder.dictionary().detach().abs().max()) < 10


def test_k_means_finds_separate_clusters_and_keeps_what_is_far_from_all():
    generator = torch.Generator().manual_seed(0)
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    x = (centres[:, None] + 0.1 * torch.randn(3, 50, 2, generator=generator)).reshape(-1, 2)
    start = torch.cat([x[[3, 60, 120]], torch.tensor([[500.0, 500.0]])])
    found = k_means(x, start)
    torch.testing.assert_close(found[:3], x.view(3, 50, 2).mean(1))
    assert found[3].tolist() == [500.0, 500.0]
