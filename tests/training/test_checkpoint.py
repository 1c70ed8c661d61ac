"""When checkpoints are due, and which state of callbacks belongs to them."""

from types import SimpleNamespace

import torch
from helpers import make_data
from skorch.callbacks import Callback

from sklearn_aensae.sources import ArraySource, InputScaling
from sklearn_aensae.training import Batches
from sklearn_aensae.training.checkpoint import Checkpoint, attached, callback_states


class Counter(Callback):
    """Has a parameter, and state under a plain name and one with an underscore."""

    def __init__(self, limit):
        self.limit = limit

    def on_train_begin(self, net, **kwargs):
        self.count, self.best_ = 0, None


class Own(Callback):
    """Says itself what its state is."""

    def state_dict(self):
        return {"x": 1}

    def load_state_dict(self, state):
        self.loaded = state


def make_net(*callbacks):
    named = [(str(i), callback) for i, callback in enumerate(callbacks)]
    return SimpleNamespace(callbacks_=named, n_steps_=0, interrupted_=False)


def test_state_is_what_is_no_parameter():
    counter = Counter(5)
    net = make_net(counter, Own())
    counter.on_train_begin(net)
    counter.count = 3
    assert callback_states(net) == {"0": {"count": 3, "best_": None}, "1": {"x": 1}}


def test_states_are_given_back_when_training_begins_and_only_then():
    counter, own, written = Counter(5), Own(), []
    net = make_net(counter, own)
    states = {"0": {"count": 3, "best_": 0.5}, "1": {"x": 2}}
    checkpoint = Checkpoint(lambda net: written.append(callback_states(net)), 2, states)
    with attached(net, checkpoint):
        assert [name for name, _ in net.callbacks_] == ["0", "1", "checkpoint"]
        for _ in range(2):
            counter.on_train_begin(net)
            checkpoint.on_train_begin(net)
    assert own.loaded == {"x": 2}
    assert [state["0"]["count"] for state in written] == [3, 0]
    assert net.callbacks_ == [("0", counter), ("1", own)]


def test_due_every_interval_and_on_ctrl_c():
    steps = []
    checkpoint = Checkpoint(lambda net: steps.append(net.n_steps_), 3, {})
    net = make_net()
    for step in range(1, 8):
        checkpoint.on_batch_begin(net, training=True)
        net.n_steps_ = step
        checkpoint.on_batch_end(net, training=True)
        checkpoint.on_batch_end(net, training=False)
    net.interrupted_ = True
    checkpoint.on_batch_begin(net, training=True)
    assert steps == [3, 6, 7]


def test_skipped_batches_are_those_of_the_first_epoch():
    source = ArraySource(make_data(50, 3), "cpu", torch.float32)

    def batches(**options):
        return Batches(source, InputScaling(None, 1.0), 8, seed=3, **options)

    whole, part = batches(), batches(skip=4, n_steps=6)
    epochs = [[x for x, _ in whole] for _ in range(2)]
    for expected, epoch in ((epochs[0][4:], part), (epochs[1][:3], part)):
        found = [x for x, _ in epoch]
        assert len(found) == len(expected)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert [x for x, _ in batches(skip=7)] == []
