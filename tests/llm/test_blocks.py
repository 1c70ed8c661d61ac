"""Finding the blocks, reading one and editing one."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import torch
import transformers
from torch import nn

from llm.tiny import FAMILIES, build_model
from sklearn_aensae.llm.blocks import check_layers, edit_block, find_blocks, reader

INPUTS = {"input_ids": torch.arange(12).reshape(2, 6), "attention_mask": torch.ones(2, 6)}
PATHS = {"gpt2": "transformer.h", "gpt_neo": "transformer.h", "gpt_neox": "gpt_neox.layers"}


def read_block(model, *blocks):
    """Return the outputs of the blocks, or of the one, for `INPUTS`."""
    with reader(model, blocks) as read:
        outputs = read(INPUTS)
        return outputs if len(blocks) > 1 else outputs[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_blocks_are_found_by_their_number(family):
    model = build_model(family)
    blocks = find_blocks(model)
    assert blocks is model.get_submodule(PATHS.get(family, "model.layers"))
    assert blocks is find_blocks(model, PATHS.get(family, "model.layers"))


def test_an_expert_list_as_long_as_the_blocks_is_no_block_list():
    model = build_model("gpt2")
    for block in model.transformer.h:
        block.experts = nn.ModuleList(nn.Identity() for _ in model.transformer.h)
    assert find_blocks(model) is model.transformer.h


def test_two_lists_ask_for_the_path():
    model = transformers.T5ForConditionalGeneration(
        transformers.T5Config(vocab_size=20, d_model=8, d_ff=8, d_kv=4, num_layers=2, num_heads=2)
    ).eval()
    with pytest.raises(ValueError, match=r"pass block_path.*'encoder.block' \(2\)"):
        find_blocks(model)
    block = find_blocks(model, "encoder.block")[0]
    # The encoder runs first, so that the decoder's missing input is never asked for.
    assert read_block(model, block).shape == (2, 6, 8)


def test_a_path_to_something_else_lists_the_paths():
    with pytest.raises(ValueError, match=r"block_path='gpt_neox.final_layer_norm' names no list"):
        find_blocks(build_model("gpt_neox"), "gpt_neox.final_layer_norm")
    with pytest.raises(ValueError, match=r"its lists are 'gpt_neox.layers' \(3\)"):
        find_blocks(build_model("gpt_neox"), "nowhere")


@pytest.mark.parametrize(("layer", "index"), [(0, 0), (2, 2), (-1, 2), (-3, 0)])
def test_layers_count_from_both_ends(layer, index):
    assert check_layers([layer], 3) == [index]


def test_layers_keep_their_order():
    assert check_layers([-1, 0], 3) == [2, 0]


def test_a_block_named_from_both_ends_is_named_twice():
    with pytest.raises(ValueError, match=r"layer=\[2, -1\] names a block twice.*3 blocks"):
        check_layers([2, -1], 3)


@pytest.mark.parametrize("layer", [3, -4])
def test_layers_out_of_range_say_how_many_there_are(layer):
    with pytest.raises(ValueError, match=rf"layer={layer} is out of range: the model has 3 blocks"):
        check_layers([0, layer], 3)


@pytest.mark.parametrize("family", ["gpt_neox", "gpt_neo"])
def test_read_is_what_the_block_answers(family):
    model = build_model(family)
    block = find_blocks(model)[1]
    with torch.no_grad():
        expected = model(**INPUTS, output_hidden_states=True).hidden_states[2]
    hooks = dict(block._forward_hooks)  # transformers leaves its own
    read = read_block(model, block)
    torch.testing.assert_close(read, expected, rtol=0, atol=0)
    assert not read.is_inference()
    assert block._forward_hooks == hooks


@pytest.mark.parametrize("family", ["gpt_neox", "gpt_neo"])
def test_several_blocks_are_read_in_one_run_in_the_order_asked(family):
    model = build_model(family)
    blocks, ran = find_blocks(model), []
    for index, block in enumerate(blocks):
        block.register_forward_hook(lambda *_, index=index: ran.append(index))
    outputs = read_block(model, blocks[1], blocks[0])
    assert ran == [0, 1]
    for output, block in zip(outputs, (blocks[1], blocks[0]), strict=True):
        torch.testing.assert_close(output, read_block(model, block), rtol=0, atol=0)


def test_what_is_read_is_safe_from_a_model_that_writes_into_it():
    class Doubles(nn.Module):
        def forward(self, hidden):
            return hidden.mul_(2)

    class Model(nn.Sequential):
        def forward(self, input_ids, attention_mask):
            return super().forward(torch.ones(2, 6, 8))

    model = Model(Doubles(), Doubles())
    first, second = read_block(model, *model)
    torch.testing.assert_close(first, torch.full((2, 6, 8), 2.0))
    torch.testing.assert_close(second, torch.full((2, 6, 8), 4.0))


@pytest.mark.parametrize("family", ["gpt_neox", "gpt_neo", "gpt2", "llama"])
def test_edit_replaces_what_later_blocks_see(family):
    model = build_model(family)
    block = find_blocks(model)[1]
    with torch.no_grad():
        clean = model(**INPUTS, use_cache=False).logits
    unchanged = edit_block(model, block, INPUTS, lambda hidden: hidden.clone())
    torch.testing.assert_close(unchanged, clean, rtol=0, atol=0)
    # After the last block only the norm and the head are left: a closed form.
    last = find_blocks(model)[2]
    target = torch.linspace(-1, 1, 2 * 6 * 16).reshape(2, 6, 16)
    edited = edit_block(model, last, INPUTS, lambda hidden: target)
    base = model.base_model
    norm = next(m for n, m in base.named_children() if n in {"norm", "final_layer_norm", "ln_f"})
    with torch.no_grad():
        expected = model.get_output_embeddings()(norm(target))
    torch.testing.assert_close(edited, expected)
    assert not block._forward_hooks


def test_the_tuple_of_a_block_is_kept():
    class Pair(nn.Module):
        def forward(self, hidden):
            return hidden, "attention"

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = Pair()

        def forward(self, hidden):
            states, attention = self.block(hidden)
            assert attention == "attention"
            return transformers.modeling_outputs.CausalLMOutput(logits=states)

    model, inputs = Model(), {"hidden": torch.ones(1, 2, 3)}
    with reader(model, [model.block]) as read:
        torch.testing.assert_close(read(inputs)[0], torch.ones(1, 2, 3))
    edited = edit_block(model, model.block, inputs, lambda hidden: 2 * hidden)
    torch.testing.assert_close(edited, torch.full((1, 2, 3), 2.0))


def test_a_failing_model_is_restored():
    model = build_model("gpt_neox").train()
    block = find_blocks(model)[1]

    def fail(hidden):
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        edit_block(model, block, INPUTS, fail)
    assert all(module.training for module in model.modules())
    assert not block._forward_hooks


def test_the_last_of_overlapping_contexts_restores_a_model():
    model = build_model("gpt_neox").train()
    model.gpt_neox.final_layer_norm.eval()
    first, second = ExitStack(), ExitStack()
    first.enter_context(reader(model, find_blocks(model)[:1]))
    with ThreadPoolExecutor(1) as pool:
        pool.submit(second.enter_context, reader(model, find_blocks(model)[:1])).result()
        first.close()
        assert not any(module.training for module in model.modules())
        pool.submit(second.close).result()
    assert [m for m in model.modules() if not m.training] == [model.gpt_neox.final_layer_norm]


def test_a_block_that_never_runs_is_an_error():
    model = build_model("gpt_neox")
    with pytest.raises(RuntimeError, match="answered without running a chosen block"):
        read_block(model, nn.Identity())


def test_threads_may_share_a_model():
    model = build_model("llama")
    block = find_blocks(model)[1]
    rows = [{name: part[i : i + 1] for name, part in INPUTS.items()} for i in range(2)]

    def read(inputs):
        with reader(model, [block]) as run:
            return torch.cat([run(inputs)[0] for _ in range(30)])

    alone = [read(inputs) for inputs in rows]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(read, rows))
    for ours, expected in zip(together, alone, strict=True):
        torch.testing.assert_close(ours, expected)


def test_a_reader_may_be_handed_from_thread_to_thread():
    model = build_model("llama")
    expected = read_block(model, find_blocks(model)[1])
    with reader(model, [find_blocks(model)[1]]) as run, ThreadPoolExecutor(1) as pool:
        torch.testing.assert_close(pool.submit(run, INPUTS).result()[0], expected)
