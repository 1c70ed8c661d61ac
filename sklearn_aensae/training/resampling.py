"""Resampling: dead components start again from inputs that are explained badly."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.callbacks import Callback
from torch import Tensor

from sklearn_aensae.kernels import Workspace, matmul_precision
from sklearn_aensae.modules import Autoencoder

__all__ = ["Resampling", "draw", "restart_"]

POOL_ROWS = 8_192
"""Rows from which new components are drawn, the last before the step; published: 819,200."""

SHRINKAGE = 0.2
"""Norm of a new encoder row, relative to the mean of the live ones (published)."""


class Resampling(Callback):
    r"""Gives dead components, at given steps, the direction of an input as encoder row and atom.

    Inputs are drawn among the last rows, without replacement, with probabilities proportional to
    the square of their loss :math:`\lVert x - \hat x \rVert^2`. The atom becomes the direction u
    of :math:`x - b`, the encoder row :math:`0.2 u` times the mean norm of the live rows (of all,
    if none is alive), its bias such that pre-codes are that row times x - b, and the optimiser's
    moments of all that 0: so the component fires on its input. Dead means silent for the tracker's
    whole window; if more are dead than there are inputs to start from, the rest stay dead.

    Parameters
    ----------
    steps : sequence of int
        Steps, counted from 1, after which components are resampled.
    seed : int
        Of the draws, together with the number of the step.

    References
    ----------
    Bricken et al. (2023). Towards monosemanticity: decomposing language models with dictionary
    learning. transformer-circuits.pub, appendix "Neuron resampling".
    """

    def __init__(self, steps: Sequence[int], seed: int) -> None:
        self.steps = sorted(steps)
        self.seed = seed
        self.pool: list[Tensor] = []

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin without rows."""
        self.pool = []

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Keep the rows of a step that comes shortly before resampling; resample if it is time."""
        due = next((step for step in self.steps if step >= net.n_steps_), None)
        if not training or due is None:
            return
        rows = batch[0]
        if due - net.n_steps_ < math.ceil(POOL_ROWS / len(rows)):
            # Batches may lie in memory that the next one uses again.
            self.pool.append(rows.clone())
        if due == net.n_steps_:
            pool, self.pool = self.pool, []
            with torch.no_grad(), Workspace().step(), matmul_precision(net.matmul_precision):
                self._resample(net, pool)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Let go of the rows."""
        self.pool = []

    def _resample(self, net: Any, pool: list[Tensor]) -> None:
        """Read who is dead and what is explained badly, and restart the ones from the others."""
        module, tracker = net.module_, net.module_.tracker
        dead = (tracker.samples_since_fired >= tracker.window).nonzero().flatten()
        if not len(dead):
            return
        losses = squared_errors(module, pool)
        inputs = torch.cat(pool) - module.decoder.bias
        # An input at the bias itself has no direction.
        losses *= inputs.any(1)
        rng = np.random.default_rng((self.seed, net.n_steps_))
        chosen = draw(losses.double().cpu().numpy(), len(dead), rng)
        restart_(module, net.optimizer_, dead[: len(chosen)], inputs[chosen.tolist()])

    def state_dict(self) -> dict[str, Any]:
        """Return the rows kept so far."""
        return {"pool": list(self.pool)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with the rows kept so far; called once training has begun."""
        self.pool = list(state["pool"])


def squared_errors(module: Autoencoder, batches: Sequence[Tensor]) -> Tensor:
    """Squared error of each row, summed over features: shape (n_rows,)."""
    was_training = module.training
    module.eval()
    errors = [(x - module(x).reconstruction).square().sum(1) for x in batches]
    module.train(was_training)
    return torch.cat(errors)


def draw(losses: NDArray[np.floating], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return at most `n` different rows, drawn in proportion to the squares of their losses.

    Parameters
    ----------
    losses : ndarray of shape (n_rows,)
        Non-negative. A row of loss 0 is never drawn.
    n : int
        Rows to draw, if there are as many.
    rng : Generator
        Source of randomness.
    """
    weights = (losses / max(losses.max(), np.finfo(float).tiny)) ** 2
    n = min(n, int(np.count_nonzero(weights)))
    if not n:
        return np.empty(0, dtype=np.int64)
    return rng.choice(len(losses), n, replace=False, p=weights / weights.sum())


@torch.no_grad()
def restart_(
    module: Autoencoder, optimizer: torch.optim.Optimizer, dead: Tensor, inputs: Tensor
) -> None:
    """Point dead components at inputs, in place, and forget what the optimiser knew of them.

    Parameters
    ----------
    module : Autoencoder
        What is trained; alive are those components that its tracker does not call dead.
    optimizer : Optimizer
        Of its parameters.
    dead : integer Tensor of shape (n,)
        Components.
    inputs : Tensor of shape (n, n_features)
        Their inputs less the decoder's bias, none of them 0.
    """
    encoder, tracker, atoms = module.encoder, module.tracker, module.decoder.get_parameter("atoms")
    alive = tracker.samples_since_fired < tracker.window
    norms = torch.linalg.vector_norm(encoder.weight, dim=1)
    # Without a live one, a mean over them would be 0 / 0.
    kept = torch.where(alive.any(), alive, torch.ones_like(alive)).to(norms)
    norm = (norms @ kept) / kept.sum()
    directions = inputs / torch.linalg.vector_norm(inputs, dim=1, keepdim=True)
    weight = SHRINKAGE * norm * directions
    encoder.weight.index_copy_(0, dead, weight)
    # Pre-codes are W(x - b), whether or not the encoder subtracts b.
    encoder.bias.index_copy_(0, dead, weight @ (module.offset - module.decoder.bias))
    atoms.index_copy_(0, dead, directions)
    module.activation.reset_(dead)
    tracker.samples_since_fired.index_fill_(0, dead, 0)
    own = [encoder.weight, encoder.bias, atoms, *module.activation.parameters()]
    for parameter in own:
        for moment in optimizer.state[parameter].values():
            if isinstance(moment, Tensor) and moment.shape == parameter.shape:
                moment.index_fill_(0, dead, 0)
