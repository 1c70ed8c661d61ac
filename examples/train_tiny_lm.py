"""Train the language model that ships with the package, from this interpreter's own sources.

    python examples/train_tiny_lm.py --output tiny_stdlib_lm

writes the model, its tokenizer and the record of the run. It needs torch >= 2.9 (for Muon).
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

# Threads that spin at every barrier take four times as long where the cores are shared.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
import transformers
from evaluate_tiny_lm import encode, evaluate
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

from sklearn_aensae.datasets import load_stdlib_texts

END_OF_TEXT = "<|endoftext|>"
VOCABULARY, CONTEXT, BATCH = 4096, 256, 16
MUON_RATE, ADAM_RATE = 1.2e-2, 6e-3


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("examples/output/tiny_stdlib_lm"))
    parser.add_argument("--steps", type=int, default=1800, help="batches of 16 x 256 tokens")
    parser.add_argument("--save-every", type=int, default=300, help="steps between checkpoints")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def train_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE whose token 0 is the end of text, as in Pythia."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        model_max_length=CONTEXT,
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
        **dict.fromkeys(("bos_token", "eos_token", "pad_token"), END_OF_TEXT),
    )


def build_model() -> GPTNeoXForCausalLM:
    """Build Pythia's architecture in small, with the output tied to the embedding."""
    config = GPTNeoXConfig(
        vocab_size=VOCABULARY,
        max_position_embeddings=CONTEXT,
        hidden_size=192,
        num_hidden_layers=4,
        num_attention_heads=3,
        intermediate_size=768,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    return GPTNeoXForCausalLM(config)


class ChunkedCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy whose logits and their gradient exist 128 rows at a time, in cache."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        """Sum the loss over chunks, and its gradients, while the logits are at hand."""
        total, half_weight = hidden.new_zeros(()), weight.bfloat16()
        grad_hidden, grad_weight = torch.empty_like(hidden), torch.zeros_like(weight)
        for chunk in torch.arange(len(hidden)).split(128):
            rows, labels = hidden[chunk].bfloat16(), targets[chunk, None]
            logits = (rows @ half_weight.T).float()
            normaliser = logits.logsumexp(1, keepdim=True)
            total += (normaliser - logits.gather(1, labels)).sum()
            residual = logits.sub_(normaliser).exp_()
            residual.scatter_add_(1, labels, residual.new_full(labels.shape, -1.0))
            half_residual = residual.bfloat16()
            grad_hidden[chunk] = (half_residual @ half_weight).to(hidden.dtype)
            grad_weight += half_residual.T @ rows
        ctx.save_for_backward(grad_hidden / len(hidden), grad_weight / len(hidden))
        return total / len(hidden)

    @staticmethod
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor, Tensor, None]:
        """Scale the gradients that the forward pass has found."""
        grad_hidden, grad_weight = ctx.saved_tensors
        return grad_loss * grad_hidden, grad_loss * grad_weight, None


def make_optimizers(model: GPTNeoXForCausalLM) -> list[torch.optim.Optimizer]:
    """Give Muon the matrices inside the blocks, and AdamW the embedding and all vectors."""
    inside = [p for p in model.gpt_neox.layers.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if all(p is not q for q in inside)]
    return [
        torch.optim.Muon(inside, MUON_RATE, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    ]


def batches(stream: Tensor) -> Iterator[Tensor]:
    """Yield windows in random order for ever, cut at another offset in every epoch."""
    while True:
        shifted = stream[torch.randint(CONTEXT, ()) :]
        windows = shifted.unfold(0, CONTEXT + 1, CONTEXT)
        for chosen in torch.randperm(len(windows)).split(BATCH):
            if len(chosen) == BATCH:
                yield windows[chosen]


def train(model: GPTNeoXForCausalLM, stream: Tensor, steps: int) -> Iterator[int]:
    """Make the steps, and yield after each, so that the caller may save."""
    optimizers = make_optimizers(model.train())
    rates = [LambdaLR(each, lambda step: _rate(step, steps)) for each in optimizers]
    bar = tqdm(islice(batches(stream), steps), total=steps, mininterval=1)
    for step, tokens in enumerate(bar, start=1):
        with torch.autocast("cpu", torch.bfloat16):
            hidden = model.gpt_neox(tokens[:, :-1], use_cache=False).last_hidden_state
        weight, targets = model.get_output_embeddings().weight, tokens[:, 1:].flatten()
        loss = ChunkedCrossEntropy.apply(hidden.flatten(0, 1), weight, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for each in (*optimizers, *rates):
            each.step()
        model.zero_grad()
        bar.set_postfix(nats=f"{loss.item():.3f}")
        yield step


def _rate(step: int, steps: int) -> float:
    """Rise over the first twentieth of the steps, then fall linearly to zero."""
    warm_up = max(1, steps // 20)
    return min((step + 1) / warm_up, (steps - step) / (steps - warm_up))


def save(model: GPTNeoXForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write the weights in half precision; the config says float32, which they are loaded as."""
    half = {name: weight.half() for name, weight in model.named_parameters()}
    model.save_pretrained(folder, state_dict=half)
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    # The class has two names; transformers 4 knows this one only.
    path.write_text(path.read_text().replace("TokenizersBackend", "PreTrainedTokenizerFast"))


def main() -> None:
    """Train, save, and measure what was saved."""
    args = parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    texts = load_stdlib_texts("train")
    tokenizer = train_tokenizer(texts)
    model, stream = build_model(), encode(tokenizer, texts)
    start = time.perf_counter()
    for step in train(model, stream, args.steps):
        if step % args.save_every == 0 or step == args.steps:
            save(model, tokenizer, args.output)
    record = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "seed": args.seed,
        "threads": args.threads,
        "parameters": model.num_parameters(),
        "train_modules": len(texts),
        "train_bytes": sum(len(text.encode()) for text in texts),
        "train_tokens": len(stream),
        "steps": args.steps,
        "tokens_seen": args.steps * BATCH * CONTEXT,
        "minutes": round((time.perf_counter() - start) / 60, 1),
    }
    record |= evaluate(GPTNeoXForCausalLM.from_pretrained(args.output), tokenizer)
    (args.output / "training.json").write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
