"""Blocks of pre-codes against one product."""

import pytest
import torch

from sklearn_aensae.kernels import Workspace, iter_pre_codes, linear, matmul_precision, precision


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n_rows", [1, 256, 600])
@pytest.mark.parametrize("onednn", [True, False])
@pytest.mark.parametrize("product_rows", [1, 512])
def test_blocks_are_rows_of_the_product(dtype, n_rows, onednn, product_rows, monkeypatch):
    monkeypatch.setattr(linear, "_HAS_ONEDNN", onednn and linear._HAS_ONEDNN)
    monkeypatch.setattr(linear, "is_intel", lambda: False)
    monkeypatch.setattr(linear, "BLOCK_BYTES", 1)
    monkeypatch.setattr(linear, "PRODUCT_ROWS", product_rows)
    x, weight = torch.randn(n_rows, 16, dtype=dtype), torch.randn(40, 16, dtype=dtype)
    bias = torch.randn(40, dtype=dtype)
    with Workspace().step():
        blocks = [block.clone() for block in iter_pre_codes(x, weight, bias)]
    assert [len(block) for block in blocks] == [len(rows) for rows in x.split(256)]
    expected = (x.double() @ weight.double().T + bias).to(dtype)
    torch.testing.assert_close(torch.cat(blocks), expected)


def test_bfloat16_only_for_a_choice_and_only_if_allowed(monkeypatch):
    monkeypatch.setattr("sklearn_aensae.kernels.precision._has_fast_bfloat16", lambda _: True)
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(300, 64, generator=generator) for _ in range(2))
    bias = torch.randn(300, generator=generator)
    exact = x @ weight.T + bias

    def product(**options):
        blocks = iter_pre_codes(x, weight, bias, **options)
        return torch.cat([block.clone() for block in blocks])

    def error(found):
        return ((found.float() - exact).norm() / exact.norm()).item()

    assert error(product(for_choice=True)) < 1e-6
    with matmul_precision("medium"):
        # What torch makes of "medium" is its own affair: single precision or bfloat16.
        assert product().dtype == torch.float32
        assert error(product()) < 1e-2
        assert product(for_choice=True).dtype == torch.bfloat16
        assert 1e-3 < error(product(for_choice=True)) < 1e-2
        with Workspace().step():
            assert 1e-3 < error(product(for_choice=True)) < 1e-2
            rows = linear._in_bfloat16(x[:, :31], weight[:, :31], bias)[0]
            assert rows.shape == (300, 32) and rows[:, -1].eq(1).all()


@pytest.mark.parametrize("limit", [0, linear.DERIVED_BYTES])
def test_for_many_rows_the_bias_becomes_a_feature(limit, monkeypatch):
    monkeypatch.setattr(linear, "_HAS_ONEDNN", False)
    monkeypatch.setattr(linear, "DERIVED_BYTES", limit)
    addends, products = [], linear._iter_products

    def noted(x, weight, addend, n_rows):
        addends.append(addend)
        return products(x, weight, addend, n_rows)

    monkeypatch.setattr(linear, "_iter_products", noted)
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(30, 16, generator=generator), torch.randn(40, 16, generator=generator)
    bias, workspace = torch.randn(40, generator=generator), Workspace(is_for_reading=True)
    for rows in x.split(10):
        with workspace.step():
            (block,) = iter_pre_codes(rows, weight, bias)
            torch.testing.assert_close(block, rows @ weight.T + bias)
    assert [addend is None for addend in addends] == [False, limit > 0, limit > 0]


def test_a_product_is_no_larger_than_it_may_be(monkeypatch):
    monkeypatch.setattr(linear, "LEAST_ROWS", 8)
    monkeypatch.setattr(linear, "BLOCK_BYTES", 1)
    monkeypatch.setattr(linear, "PRODUCT_BYTES", 4 * 40 * 20)
    x, weight, bias = torch.randn(50, 16), torch.randn(40, 16), torch.randn(40)
    products = []
    monkeypatch.setattr(linear, "_iter_products", lambda *args: products.append(args[-1]) or [])
    assert not list(iter_pre_codes(x, weight, bias))
    monkeypatch.setattr(linear, "PRODUCT_BYTES", 1)
    assert not list(iter_pre_codes(x, weight, bias))
    assert products == [20, 8]


@pytest.mark.parametrize(("supported", "seconds", "fast"), [
    (True, 0.4, True), (True, 0.9, False), (True, 2.0, False), (False, 0.4, False),
])  # fmt: skip
def test_a_processor_has_to_be_faster_at_bfloat16(supported, seconds, fast, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: supported)
    times = {torch.bfloat16: seconds, torch.float32: 1.0}
    monkeypatch.setattr(precision, "_seconds_of_a_product", times.get)
    assert precision._has_fast_bfloat16.__wrapped__("cpu") is fast
    assert precision._has_fast_bfloat16.__wrapped__("mps") is False


def test_the_time_of_a_product_is_measured():
    assert 0 < precision._seconds_of_a_product(torch.float32) < 10
