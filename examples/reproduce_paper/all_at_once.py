"""Runs on a graphics processor: many models in one, the paper's step written out in plain torch.

A single model of 1,024 features leaves such a processor idle. Here the weights of all models of one
kind are stacked, and a step is a step of each. tests/examples/test_reproduce_paper.py holds these
steps to those of the estimators, in double precision.
"""

import math
import time
from collections.abc import Iterator

import torch
from joblib import Parallel, delayed
from torch import Tensor
from tqdm import tqdm

from examples.reproduce_paper.estimators import Setting, make_stream
from examples.reproduce_paper.figures import figures
from examples.reproduce_paper.one_by_one import Record, Run

BLOCK = 4_096
"""Rows of each stream that are drawn at once."""

NAMES = ("W", "c", "D", "b")


class Models:
    """Stacked models: all with a penalty, or all TopK.

    Parameters
    ----------
    runs : list of (Row, seed)
        One for each model.
    setting : Setting
        Sizes and length of the trainings.
    device, dtype : str, torch.dtype
        Where and with how many digits.
    """

    def __init__(
        self, runs: list[Run], setting: Setting, device: str, dtype: torch.dtype = torch.float32
    ) -> None:
        self.runs, self.setting, self.t = runs, setting, 0
        n, d, R = setting.n_features, setting.n_components, len(runs)
        shapes = {"W": (d, n), "c": (1, d), "D": (d, n), "b": (1, n)}
        self.weights = {
            name: torch.zeros(R, *shape, device=device, dtype=dtype).requires_grad_()
            for name, shape in shapes.items()
        }
        for i, (_, seed) in enumerate(runs):
            generator = torch.Generator().manual_seed(seed)
            for name, fan_in in (("W", n), ("c", n), ("D", d)):
                bound = 1 / math.sqrt(fan_in)
                drawn = torch.empty(shapes[name]).uniform_(-bound, bound, generator=generator)
                self.weights[name].data[i] = drawn
        self.adam = torch.optim.Adam(self.weights.values(), lr=1e-3, fused=True)
        self.normalize()

        def column(name: str, default: float) -> Tensor:
            values = [float(row.params.get(name, default)) for row, _ in runs]
            return torch.tensor(values, device=device, dtype=dtype)[:, None]

        self.lambda_1, self.lambda_2 = column("lambda_1", 0), column("lambda_2", 0)
        # Without adaptive weights, any moving average to the power of 0 gives weight 1.
        self.gamma, self.beta = column("gamma", 0), column("ema_beta", 0.999)
        self.n_top = (column("weight_top_share", 0.01) * d).floor().clamp(min=1).long()
        self.k = None if "k" not in runs[0][0].params else column("k", 0).long()[:, :, None]
        self.k_max = max(row.params.get("k", 0) for row, _ in runs)
        self.ema = torch.ones(R, d, device=device, dtype=dtype)
        self.fired = torch.zeros(R, d, device=device, dtype=torch.bool)

    @torch.no_grad()
    def normalize(self) -> None:
        """Scale atoms to unit length."""
        D = self.weights["D"]
        D /= torch.linalg.vector_norm(D, dim=2, keepdim=True).clamp(min=1e-12)

    def encode(self, x: Tensor) -> Tensor:
        """Codes of rows: shapes (n_models, batch, n_features) and (..., n_components)."""
        W, c, _, b = self.weights.values()
        # W (x - b) + c, in the order that spares the gradient of a whole batch of b.
        pre = torch.baddbmm(c - b @ W.mT, x, W.mT)
        if self.k is None:
            return pre.relu()
        largest, places = pre.topk(self.k_max, dim=2)
        ranks = torch.arange(largest.shape[2], device=x.device)
        kept = largest.relu() * (ranks < self.k)
        return torch.zeros_like(pre).scatter(2, places, kept)

    def decode(self, h: Tensor) -> Tensor:
        """Reconstructions of codes."""
        return torch.baddbmm(self.weights["b"], h, self.weights["D"])

    @torch.no_grad()
    def adaptive_weights(self, h: Tensor) -> Tensor:
        """Weights of the penalty after this batch, of shape (n_models, n_components)."""
        self.ema = self.beta * self.ema + (1 - self.beta) * h.mean(1)
        ema = self.ema.clamp(min=1e-5)
        sums = ema.sort(dim=1, descending=True).values.cumsum(1)
        reference = sums.gather(1, self.n_top - 1) / self.n_top
        w = ((reference / ema) ** self.gamma).clamp(0.01, 10.0)
        start, ramp = self.setting.start, self.setting.ramp
        share = 0.0 if self.t < start else min(1.0, (self.t - start) / ramp)
        return 1 + share * (w - 1)

    def step(self, x: Tensor) -> None:
        """One step of all models, each on its own batch."""
        self.t += 1
        h = self.encode(x)
        loss = (self.decode(h) - x).square().mean((1, 2)).sum()
        if self.k is None:
            w = self.lambda_1 * self.adaptive_weights(h)
            per_code = h * w[:, None] + self.lambda_2[:, None] * h.square()
            loss = loss + per_code.sum() / x.shape[1]
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        self.normalize()
        if self.t > self.setting.steps - self.setting.window:
            self.fired |= (h > 1e-12).any(1)


class Streams:
    """Batches for all models: those with the same rho and seed see the same rows."""

    def __init__(self, runs: list[Run], setting: Setting, device: str) -> None:
        keys = sorted({(row.rho, seed) for row, seed in runs})
        first = {(row.rho, seed): row for row, seed in runs}
        atoms = [make_stream(first[key], key[1], setting).dictionary for key in keys]
        self.atoms = torch.stack([torch.from_numpy(a) for a in atoms]).to(device)
        self.place = torch.tensor([keys.index((row.rho, seed)) for row, seed in runs])
        self.place = self.place.to(device)
        self.setting = setting
        mixed = sum((i + 1) * seed for i, (_, seed) in enumerate(keys))
        self.generator = torch.Generator(device).manual_seed(mixed)

    def __iter__(self) -> Iterator[Tensor]:
        """Batches of shape (n_models, batch, n_features), without end."""
        while True:
            for rows in self.block().split(self.setting.batch_size, dim=1):
                yield rows[self.place]

    def block(self) -> Tensor:
        """Fresh rows of all streams: uniform subsets of atoms, magnitudes uniform in [1, 3]."""
        shape = (len(self.atoms), BLOCK, self.atoms.shape[1])
        options = {"generator": self.generator, "device": self.atoms.device}
        places = torch.rand(shape, **options).topk(self.setting.n_active, dim=2).indices
        magnitudes = 1 + 2 * torch.rand(places.shape, **options)
        codes = torch.zeros(shape, device=self.atoms.device).scatter(2, places, magnitudes)
        return codes @ self.atoms


def run_all_at_once(
    runs: list[Run], setting: Setting, *, jobs: int, device: str, stop_at: float
) -> Iterator[Record]:
    """Yield the records of all penalised models, then those of all TopK models."""
    kinds = [[run for run in runs if (run[0].family == "TopK") is topk] for topk in (False, True)]
    for kind in filter(None, kinds):
        started = time.perf_counter()
        models = Models(kind, setting, device)
        steps = tqdm(range(setting.steps), f"{len(kind)} models", mininterval=5)
        for _, x in zip(steps, Streams(kind, setting, device), strict=False):
            models.step(x)
            if time.time() > stop_at:
                return
        dead = 100 * (~models.fired).float().mean(1)
        seconds = (time.perf_counter() - started) / len(kind)
        weights = {name: w.detach().cpu() for name, w in models.weights.items()}
        work = (
            delayed(measure)(run, setting, {name: w[i].clone() for name, w in weights.items()})
            for i, run in enumerate(kind)
        )
        found = Parallel(n_jobs=jobs)(work)
        for record, share in zip(found, dead.tolist(), strict=True):
            yield {**record, "dead": share, "seconds": seconds}


@torch.no_grad()
def measure(run: Run, setting: Setting, weights: dict[str, Tensor]) -> Record:
    """Figures of one model on held-out rows of its stream."""
    row, seed = run
    stream = make_stream(row, seed, setting)
    X, true_codes = stream.held_out(setting.n_held_out)
    model = Models([run], setting, "cpu")
    model.weights = {name: weights[name][None] for name in NAMES}
    codes = model.encode(torch.from_numpy(X)[None])
    reconstruction = model.decode(codes)[0].numpy()
    truth = (true_codes, stream.dictionary)
    found = figures(X, codes[0].numpy(), reconstruction, weights["D"].numpy(), truth)
    return {"row": row.key, "seed": seed, **found}
