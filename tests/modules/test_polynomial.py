"""The polynomial decoder: its formula and its gradients, orthonormal columns, interactions."""

import itertools

import numpy as np
import pytest
import torch
from helpers import from_slots

from sklearn_aensae.kernels import DenseCodes
from sklearn_aensae.modules.decoders import LinearDecoder, PolynomialDecoder

RANKS = [4, 3, 2]
N_COMPONENTS, N_FEATURES = 8, 5


def make_decoder(order=3, init="paper", seed=0, sample=None):
    decoder = PolynomialDecoder(N_FEATURES, N_COMPONENTS, RANKS[:order]).double()
    generator = torch.Generator().manual_seed(seed)
    sample = torch.randn(40, N_FEATURES, dtype=torch.float64) if sample is None else sample
    with torch.no_grad():
        decoder.bias.normal_(generator=generator)
        decoder.initialize_(init, sample, generator)
    return decoder


def polynomial(decoder, codes):
    """What the decoder makes of each row of codes, term by term."""
    U, *maps = (p.detach().numpy() for p in (decoder.basis, *decoder.maps))
    scales = [1.0, *(float(scale.detach()) for scale in decoder.scales)]
    result = np.tile(decoder.bias.detach().numpy(), (len(codes), 1))
    for n, code in enumerate(codes):
        for power, (scale, C) in enumerate(zip(scales, maps, strict=True), 1):
            for r in range(len(C)):
                a = sum(code[i] * U[i, r] for i in range(len(code)))
                result[n] += scale * a**power * C[r]
    return result


def random_codes(seed=0):
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(6, 3, generator=generator, dtype=torch.float64) + 0.1
    columns = torch.rand(6, N_COMPONENTS, generator=generator).argsort(1)[:, :3]
    return values.requires_grad_(), from_slots(values, columns, N_COMPONENTS)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("kind", ["active", "dense"])
def test_decoder_is_the_polynomial(order, kind):
    decoder = make_decoder(order)
    codes = random_codes()[1]
    dense = codes.dense().detach()
    result = decoder(codes if kind == "active" else DenseCodes(dense))
    np.testing.assert_allclose(result.detach(), polynomial(decoder, dense.numpy()), atol=1e-12)
    without_bias = decoder.decode(codes) + decoder.bias
    np.testing.assert_allclose(without_bias.detach(), result.detach(), atol=1e-14)


def test_gradients_are_those_of_finite_differences():
    decoder = make_decoder()
    values, codes = random_codes()
    target = torch.randn(6, N_FEATURES, dtype=torch.float64)

    def loss():
        return float((decoder(codes).detach() - target).square().sum())

    (decoder(codes) - target).square().sum().backward()
    dense = codes.dense().detach()
    for parameter in decoder.parameters():
        flat, gradient = parameter.data.view(-1), parameter.grad.view(-1)
        for i in range(len(flat)):
            flat[i] += 1e-6
            above = loss()
            flat[i] -= 2e-6
            below = loss()
            flat[i] += 1e-6
            assert gradient[i].item() == pytest.approx((above - below) / 2e-6, rel=1e-5, abs=1e-6)
    slope = polynomial(decoder, (dense * 1.000001).numpy()) - polynomial(decoder, dense.numpy())
    residual = (decoder(codes) - target).detach().numpy()
    by_values = (values.grad * values.detach()).sum().item()
    assert by_values == pytest.approx(2 * (residual * slope).sum() / 1e-6, rel=1e-4)


@pytest.mark.parametrize("order", [2, 3])
def test_pairs_add_their_interaction(order):
    """What a pair adds: decode(i and j) - decode(i) - decode(j) + decode(nothing)."""
    decoder = make_decoder(order)
    z = np.array([1.3, 0.4])
    for i, j in itertools.combinations(range(N_COMPONENTS), 2):
        codes = np.zeros((4, N_COMPONENTS))
        codes[[0, 1], i] = z[0]
        codes[[0, 2], j] = z[1]
        both, first, second, neither = polynomial(decoder, codes)
        found = z[0] * z[1] * decoder.interaction((i, j)).detach().numpy()
        if order == 3:
            for weights, powers in ((z[0] ** 2 * z[1], (i, i, j)), (z[0] * z[1] ** 2, (j, i, j))):
                found = found + weights * decoder.interaction(powers).detach().numpy()
        np.testing.assert_allclose(found, both - first - second + neither, atol=1e-12)
        assert np.abs(found).max() > 1e-6


def test_triples_add_their_interaction():
    decoder = make_decoder()
    z = np.array([1.3, 0.4, 0.8])
    for triple in itertools.combinations(range(N_COMPONENTS), 3):
        expected = np.zeros(N_FEATURES)
        for subset in itertools.product([0, 1], repeat=3):
            codes = np.zeros((1, N_COMPONENTS))
            codes[0, list(triple)] = z * subset
            expected += (-1) ** (3 - sum(subset)) * polynomial(decoder, codes)[0]
        found = z.prod() * decoder.interaction(triple).detach()
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_component_by_itself_is_its_atom_and_its_powers():
    decoder = make_decoder()
    codes = np.zeros((1, N_COMPONENTS))
    codes[0, 3] = 0.7
    terms = [0.7**n * decoder.interaction((3,) * n).detach().numpy() for n in (1, 2, 3)]
    expected = polynomial(decoder, codes)[0] - decoder.bias.detach().numpy()
    np.testing.assert_allclose(sum(terms), expected, atol=1e-12)
    np.testing.assert_allclose(terms[0] / 0.7, decoder.dictionary()[3].detach(), atol=1e-14)


def test_norms_of_pairs():
    decoder = make_decoder()
    for i in range(N_COMPONENTS):
        norms = decoder.pair_norms(i).detach()
        for j in set(range(N_COMPONENTS)) - {i}:
            assert norms[j] == pytest.approx(float(decoder.interaction((i, j)).detach().norm()))


def test_constraint_gives_orthonormal_columns_that_do_not_flip():
    decoder = make_decoder()
    before = decoder.basis.detach().clone()
    decoder.constrain_()
    torch.testing.assert_close(decoder.basis.detach(), before)
    with torch.no_grad():
        decoder.basis.add_(1e-3 * torch.randn_like(decoder.basis))
    decoder.constrain_()
    after = decoder.basis.detach()
    identity = torch.eye(RANKS[0], dtype=torch.float64)
    torch.testing.assert_close(after.T @ after, identity)
    assert bool(((after * before).sum(0) > 0.99).all())
    with torch.no_grad():
        decoder.basis.zero_()
    decoder.constrain_()
    torch.testing.assert_close(decoder.basis.T @ decoder.basis, identity)


def test_initial_decoder_is_linear_with_unit_atoms():
    full = PolynomialDecoder(N_FEATURES, N_COMPONENTS, [N_FEATURES, 3]).double()
    linear = LinearDecoder(N_FEATURES, N_COMPONENTS).double()
    sample = torch.randn(40, N_FEATURES, dtype=torch.float64)
    with torch.no_grad():
        for decoder in (full, linear):
            decoder.initialize_("data", sample, torch.Generator().manual_seed(1))
    torch.testing.assert_close(full.dictionary().detach(), linear.atoms.detach())
    assert not full.maps[1].any()


def test_low_rank_starts_in_the_directions_of_the_data():
    plane = torch.randn(2, N_FEATURES, dtype=torch.float64)
    decoder = PolynomialDecoder(N_FEATURES, N_COMPONENTS, [2]).double()
    sample = torch.randn(60, 2, dtype=torch.float64) @ plane
    with torch.no_grad():
        decoder.initialize_("data", sample, torch.Generator().manual_seed(0))
    atoms = decoder.dictionary().detach()
    torch.testing.assert_close(atoms.norm(dim=1), torch.ones(N_COMPONENTS, dtype=torch.float64))
    projection = torch.linalg.pinv(plane) @ plane
    torch.testing.assert_close(atoms @ projection, atoms)
    torch.testing.assert_close(decoder.basis.T @ decoder.basis, torch.eye(2, dtype=torch.float64))


def test_groups_do_not_add_up_and_are_refused():
    codes = random_codes()[1]
    with pytest.raises(TypeError, match="PolynomialDecoder is not linear in the codes"):
        make_decoder().groups(codes, [2, N_COMPONENTS])
    linear = make_decoder(order=1)
    groups = linear.groups(codes, [2, N_COMPONENTS])
    dense = codes.dense()
    torch.testing.assert_close(groups[0], dense[:, :2] @ linear.dictionary()[:2])
    torch.testing.assert_close(groups.sum(0), linear.decode(codes))
