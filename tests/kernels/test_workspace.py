"""Lent memory: reused from step to step, never within one."""

import copy
import pickle
from threading import Thread

import pytest
import torch

from sklearn_aensae.kernels import Workspace
from sklearn_aensae.kernels.workspace import current_workspace

LIKE = torch.zeros(1)


def test_memory_is_lent_once_per_step():
    workspace = Workspace()
    with workspace.step():
        first = workspace.take("a", (3, 4), LIKE)
        others = [workspace.take("a", (3, 4), LIKE), workspace.take("b", (3, 4), LIKE)]
        assert len({t.data_ptr() for t in (first, *others)}) == 3
        assert workspace.lends("a", first)
        assert not workspace.lends("a", others[0])
        assert not workspace.lends("c", first)
    with workspace.step():
        smaller = workspace.take("a", (2, 3), LIKE)
        assert smaller.data_ptr() == first.data_ptr()
        assert smaller.shape == (2, 3)
        double = workspace.take("a", (3, 4), LIKE.double())
        assert double.dtype == torch.float64
    with workspace.step():
        assert workspace.take("a", (30, 4), LIKE).shape == (30, 4)


def test_nothing_is_lent_twice_outside_of_a_step():
    workspace = Workspace()
    pointers = [workspace.take("a", (3, 4), LIKE) for _ in range(2)]
    assert pointers[0].data_ptr() != pointers[1].data_ptr()


def test_scratch_is_the_same_memory_for_each_call_of_a_step():
    workspace = Workspace()
    with workspace.step():
        first, second = (workspace.scratch("a", shape, LIKE) for shape in ((3, 4), (2, 2)))
        assert first.data_ptr() == second.data_ptr()
        assert workspace.take("b", (3, 4), LIKE).data_ptr() != first.data_ptr()
    outside = [workspace.scratch("a", (3, 4), LIKE) for _ in range(2)]
    assert outside[0].data_ptr() != outside[1].data_ptr()


def test_the_current_workspace_is_the_threads_own():
    workspace, seen = Workspace(), []
    outside = current_workspace()
    with workspace.step():
        assert current_workspace() is workspace
        thread = Thread(target=lambda: seen.append(current_workspace()))
        thread.start()
        thread.join()
    assert seen == [outside]
    assert current_workspace() is outside


def test_a_failed_step_ends_too():
    workspace = Workspace()
    outside = current_workspace()
    with pytest.raises(KeyError), workspace.step():
        raise KeyError
    assert current_workspace() is outside


def test_memory_is_not_pickled():
    workspace = Workspace()
    with workspace.step():
        workspace.take("a", (1000, 1000), LIKE)
    assert len(pickle.dumps(workspace)) < 200
    again = pickle.loads(pickle.dumps(workspace))
    with again.step():
        assert again.take("a", (2, 2), LIKE).shape == (2, 2)


def test_gradients_of_two_passes_add_up():
    """Two forward passes in one step need two buffers for the same weights."""
    from sklearn_aensae.kernels import dense_decode

    atoms = torch.randn(4, 3, requires_grad=True)
    one, two = torch.rand(5, 4), torch.rand(5, 4)
    with Workspace().step():
        (dense_decode(one, atoms).sum() + dense_decode(two, atoms).sum()).backward()
    expected = (one + two).T @ torch.ones(5, 3)
    torch.testing.assert_close(atoms.grad, expected)


def test_what_is_made_of_tensors_lasts_as_long_as_they_stay_as_they_are():
    made = []

    def make(a, b):
        made.append(a + b)
        return made[-1]

    a, b = torch.ones(2), torch.ones(2)
    training, reading = Workspace(), Workspace(is_for_reading=True)
    with training.step():
        assert (
            training.derived("sum", (a, b), make) is training.derived("sum", (a, b), make) is None
        )
    assert reading.derived("sum", (a, b), make) is None
    for expected in (None, 2, 2):
        with reading.step():
            found = reading.derived("sum", (a, b), make)
            assert found is None if expected is None else found.eq(expected).all()
    assert len(made) == 1
    with reading.step():
        a.add_(1)
        assert reading.derived("sum", (a, b), make) is None
        assert reading.derived("sum", (a, b), make).eq(3).all()
        assert reading.derived("sum", (a, a.clone()), make) is None
        assert reading.derived("sum", (a, b), make) is None
        assert reading.derived("sum", (a, b), lambda *_: None) is None
        n_made = len(made)
        first = reading.derived("other", (a, b), make, at_once=True)
        assert first.eq(3).all() and reading.derived("other", (a, b), make) is first
        assert len(made) == n_made + 1
    with training.step():
        assert training.derived("other", (a, b), make, at_once=True) is None
    assert copy.deepcopy(reading).is_for_reading and not copy.deepcopy(training).is_for_reading
