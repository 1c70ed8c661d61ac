"""Edited activations in the model's place, against a run by hand."""

import numpy as np
import pytest
import torch

from llm.tiny import TEXTS
from sklearn_aensae.llm.blocks import find_blocks
from sklearn_aensae.llm.options import language_model, windows
from sklearn_aensae.llm.splice import spliced_losses


@pytest.fixture
def parts(activations):
    """Make the causal model and the windows of the options."""

    def make(texts=TEXTS, **options):
        chosen = activations(**options)
        model = language_model(chosen, with_head=True)
        return model, list(windows(chosen, model).groups(texts))

    return make


def by_hand(model, ids, edit=None):
    """Return the log-probabilities of one sequence when `edit` changes the block's output."""

    def hook(module, args, output):  # a tuple in some versions of transformers
        return (edit(output[0]), *output[1:]) if isinstance(output, tuple) else edit(output)

    handle = model.block.register_forward_hook(hook) if edit else None
    with torch.no_grad():
        logits = model.network(torch.tensor(ids)[None]).logits[0]
    if handle:
        handle.remove()
    return torch.log_softmax(logits.double(), -1)


def test_losses_are_those_of_a_run_by_hand(parts):
    model, groups = parts()
    losses = spliced_losses(model, groups, 2, None, {"halved": lambda rows: rows / 2})
    clean, halved, divergence, n_tokens = 0.0, 0.0, 0.0, 0
    for (window,) in groups:
        before = by_hand(model, window.ids)[:-1]
        after = by_hand(model, window.ids, lambda hidden: hidden / 2)[:-1]
        targets = torch.tensor(window.ids[1:, None])
        clean -= before.gather(1, targets).sum().item()
        halved -= after.gather(1, targets).sum().item()
        divergence += (before.exp() * (before - after)).sum().item()
        n_tokens += len(targets)
    assert losses.n_tokens == n_tokens
    assert losses.cross_entropy["clean"] == pytest.approx(clean, rel=1e-6)
    assert losses.cross_entropy["halved"] == pytest.approx(halved, rel=1e-6)
    assert losses.divergence == pytest.approx(divergence, rel=1e-6)


def test_what_is_edited_is_safe_from_a_model_that_writes_into_it(parts):
    model, groups = parts()
    seen = []

    def see():
        spliced_losses(model, groups, 2, None, {"same": lambda rows: seen.append(rows) or rows})
        return np.concatenate(seen)

    def write(module, args, kwargs):
        (*args, *kwargs.values())[0].mul_(2)

    following = find_blocks(model.network)[2]
    assert find_blocks(model.network)[1] is model.block
    expected = see()
    seen.clear()
    handle = following.register_forward_pre_hook(write, with_kwargs=True)
    try:
        np.testing.assert_array_equal(see(), expected)
    finally:
        handle.remove()


def test_special_tokens_stay_clean(parts):
    model, groups = parts(["a dog ran"], add_bos=True)
    losses = spliced_losses(model, groups, 1, None, {"zero": np.zeros_like})
    ids = groups[0][0].ids

    def keep_first(hidden):
        return torch.cat((hidden[:, :1], torch.zeros_like(hidden[:, 1:])), dim=1)

    expected = -by_hand(model, ids, keep_first)[:-1].gather(1, torch.tensor(ids[1:, None])).sum()
    assert losses.cross_entropy["zero"] == pytest.approx(expected.item(), rel=1e-6)
    assert ids[0] == 0


def test_outliers_stay_clean(parts):
    model, groups = parts()
    seen = {None: 0, 1.05: 0}
    for ratio in seen:

        def count(rows, ratio=ratio):
            seen[ratio] += len(rows)
            return rows

        spliced_losses(model, groups, 2, ratio, {"same": count})
    assert 0 < seen[1.05] < seen[None]


def test_tokens_of_two_windows_are_replaced_in_both_and_predicted_once(parts):
    text = " ".join(TEXTS)
    split = {"long_texts": "split", "max_length": 8, "stride": 4}
    model, groups = parts([text], **split)
    replaced = []
    losses = spliced_losses(
        model, groups, 2, None, {"same": lambda rows: replaced.append(len(rows)) or rows}
    )
    n_tokens = len(model.tokenizer(text)["input_ids"])
    assert losses.n_tokens == n_tokens - 1
    assert sum(replaced) == sum(len(window.ids) for window in groups[0]) > n_tokens


def test_batches_without_replaced_tokens_do_not_reach_the_edit(parts):
    model, groups = parts(["<|endoftext|><|endoftext|>"])
    losses = spliced_losses(model, groups, 1, None, {"fails": lambda rows: 1 / 0})
    assert losses.cross_entropy["fails"] == losses.cross_entropy["clean"] > 0


def test_a_reconstruction_of_another_shape_is_refused(parts):
    model, groups = parts()
    with pytest.raises(ValueError, match=r"reconstruction has shape \(\d+, 8\)"):
        spliced_losses(model, groups, 2, None, {"half": lambda rows: rows[:, :8]})
