from itertools import islice

import numpy as np
import pytest

from sklearn_aensae import L1SAE, TopKSAE
from sklearn_aensae.datasets import SpikedDictionaryStream, make_spiked_dictionary

SIZES = {"n_features": 8, "n_components": 16, "n_active": 3}


def make_stream(**options):
    return SpikedDictionaryStream(**{**SIZES, "block_size": 50, "random_state": 0, **options})


def test_dictionary_is_that_of_the_function():
    _, _, dictionary = make_spiked_dictionary(1, **SIZES, rho=0.7, random_state=3)
    stream = make_stream(rho=0.7, random_state=3, dtype=np.float64)
    np.testing.assert_array_equal(stream.dictionary, dictionary)


def test_blocks_are_fresh_and_come_again():
    stream = make_stream()
    first, second = islice(stream, 2)
    assert first.shape == (50, 8)
    assert first.dtype == np.float32
    assert not np.isin(first[:, 0], second[:, 0]).any()
    for block, again in zip([first, second], stream, strict=False):
        np.testing.assert_array_equal(block, again)


def test_rows_are_three_atoms_of_the_one_dictionary():
    stream = make_stream(dtype=np.float64, n_components=6, n_features=8)
    # Six atoms in eight dimensions: codes are the unique solution.
    for block in islice(stream, 3):
        codes = np.linalg.lstsq(stream.dictionary.T, block.T)[0]
        active = codes > 1e-9
        assert (active.sum(axis=0) == 3).all()
        assert 1.0 <= codes[active].min() < codes[active].max() <= 3.0


def test_held_out_rows_have_their_codes_and_are_in_no_block():
    stream = make_stream()
    X, codes = stream.held_out(200)
    np.testing.assert_allclose(X, codes @ stream.dictionary, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(X, stream.held_out(200)[0])
    seen = np.concatenate(list(islice(stream, 20)))
    assert not np.isin(X[:, 0], seen[:, 0]).any()


def test_random_state_decides():
    first, again, other = (next(iter(make_stream(random_state=seed))) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    unseeded = make_stream(random_state=None)
    np.testing.assert_array_equal(next(iter(unseeded)), next(iter(unseeded)))


def test_options_reach_the_rows():
    quiet, noisy, signed = (
        make_stream(**options).held_out(500)
        for options in ({}, {"noise_std": 0.5}, {"signed": True})
    )
    np.testing.assert_allclose((noisy[0] - quiet[0]).std(), 0.5, rtol=0.05)
    assert quiet[1].data.min() > 0 > signed[1].data.min()


@pytest.mark.parametrize("cls", [TopKSAE, L1SAE])
def test_estimators_learn_from_it(cls):
    stream = make_stream(rho=0.9)
    sae = cls(16, max_steps=300, batch_size=64, learning_rate=1e-2, shuffle=False, random_state=0)
    assert sae.fit(stream).n_steps_ == 300
    assert sae.score(stream.held_out(500)[0]) > 0.8


@pytest.mark.parametrize("block_size", [0, -1])
def test_refuses_empty_blocks(block_size):
    with pytest.raises(ValueError, match="block_size == .*, must be >= 1"):
        make_stream(block_size=block_size)


def test_refuses_what_the_function_refuses():
    with pytest.raises(ValueError, match="rho must be between 0 and 1, got 2"):
        make_stream(rho=2)
    with pytest.raises(ValueError, match="n_active == 17, must be <= 16"):
        make_stream(n_active=17)
    with pytest.raises(ValueError, match="noise_std must be finite and not negative, got -1"):
        make_stream(noise_std=-1)
    with pytest.raises(ValueError, match="dtype must be float64 or float32, got int32"):
        make_stream(dtype=np.int32)
