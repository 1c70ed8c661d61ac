"""The process's precision of products: whose wish counts, and what comes back after."""

from contextlib import ExitStack

import numpy as np
import pytest
import torch
from helpers import make_data, quick

from sklearn_aensae import TopKSAE
from sklearn_aensae.kernels import matmul_precision, precision

X = make_data()

newer = pytest.mark.skipif(not precision._BACKENDS, reason="torch has the older name only")


@pytest.fixture(autouse=True)
def as_torch_begins():
    yield
    torch.set_float32_matmul_precision("highest")
    if precision._BACKENDS:
        torch.backends.fp32_precision = "none"
    for backend in precision._BACKENDS:
        backend.fp32_precision = "none"


def in_force():
    """By the older name, and of each backend."""
    return precision._by_older_name(), [backend.fp32_precision for backend in precision._BACKENDS]


@pytest.mark.parametrize("knows_newer", [True, False])
@pytest.mark.parametrize("before", ["highest", "high"])
def test_precision_is_restored(before, knows_newer, monkeypatch):
    if not knows_newer:
        monkeypatch.setattr(precision, "_BACKENDS", ())
    torch.set_float32_matmul_precision(before)
    state = in_force()
    with pytest.raises(KeyError), matmul_precision("medium"):
        assert torch.get_float32_matmul_precision() == "medium"
        raise KeyError
    assert in_force() == state
    with matmul_precision(before):
        assert in_force() == state


@newer
@pytest.mark.parametrize("name", ["highest", "high", "medium"])
@pytest.mark.parametrize(
    "where, what",
    [
        (lambda: torch.backends, "tf32"),
        (lambda: torch.backends.cuda.matmul, "tf32"),
        (lambda: torch.backends.mkldnn.matmul, "bf16"),
    ],
)
def test_precision_of_single_backends(where, what, name):
    where().fp32_precision = what
    state = in_force()
    with matmul_precision(name):
        assert torch.get_float32_matmul_precision() == name
    assert in_force() == state
    sae = quick(TopKSAE, matmul_precision=name).fit(X)
    assert np.isfinite(sae.transform(X)).all()
    assert in_force() == state


@newer
def test_a_precision_of_all_backends_still_holds_for_them():
    torch.backends.fp32_precision = "tf32"
    with matmul_precision("highest"):
        pass
    torch.backends.fp32_precision = "ieee"
    assert in_force()[1] == ["ieee"] * len(precision._BACKENDS)


def test_the_last_open_context_decides():
    with matmul_precision("medium"):
        with matmul_precision("highest"):
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == "medium"


def test_contexts_that_end_in_the_order_in_which_they_began():
    first, second = ExitStack(), ExitStack()
    first.enter_context(matmul_precision("high"))
    second.enter_context(matmul_precision("highest"))
    first.close()
    assert torch.get_float32_matmul_precision() == "highest"
    first.enter_context(matmul_precision("medium"))
    second.close()
    assert torch.get_float32_matmul_precision() == "medium"
    first.close()
    assert torch.get_float32_matmul_precision() == "highest"
