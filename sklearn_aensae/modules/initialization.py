"""Initialisation: from the data, or as the AEN-SAE paper published it."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from sklearn_aensae.kernels import Workspace
from sklearn_aensae.modules.autoencoder import Autoencoder

__all__ = ["INITIALIZATIONS", "geometric_median", "initialize_"]

INITIALIZATIONS = ("data", "data_median", "paper")


def geometric_median(x: Tensor, n_iterations: int = 100, tol: float = 1e-6) -> Tensor:
    """Point with the least mean distance to the rows of `x`, by Weiszfeld's iteration.

    Parameters
    ----------
    x : Tensor of shape (n_samples, n_features)
        Points.
    n_iterations : int, default=100
        Most iterations.
    tol : float, default=1e-6
        Stop when a step is shorter than this share of the mean distance.

    Returns
    -------
    Tensor of shape (n_features,)
    """
    median = x.mean(0)
    for _ in range(n_iterations):
        distances = torch.linalg.vector_norm(x - median, dim=1)
        scale = distances.mean()
        if scale == 0:
            break
        # A guess that hits a data point would divide by zero; duplicated rows are common.
        weights = 1 / distances.clamp(min=float(scale) * 1e-6 + torch.finfo(x.dtype).tiny)
        step = (weights @ x) / weights.sum() - median
        median = median + step
        if torch.linalg.vector_norm(step) <= tol * scale:
            break
    return median


def initialize_(
    module: Autoencoder,
    init: str,
    sample: Tensor,
    generator: torch.Generator,
    wanted: Tensor | None = None,
    device: str = "cpu",
) -> None:
    """Fill the weights of `module` in place, and move it to a device.

    Parameters
    ----------
    module : Autoencoder
        On the CPU, where its weights are drawn: they are the same whatever the device.
    init : {"data", "data_median", "paper"}
        "data": b_dec the mean of the sample, atoms as the decoder draws them, encoder equal to
        the atoms times the one factor with which the sample is reconstructed best.
        "data_median": the same with the geometric median. "paper": `torch.nn.Linear`'s uniform
        ranges, b_dec = 0 (arXiv 2605.05341, authors' code).
    sample : Tensor of shape (n_rows, n_features)
        Scaled training rows.
    generator : torch.Generator
        Source of all randomness, on the CPU.
    wanted : Tensor of shape (n_rows, n_outputs) or None, default=None
        What is to be reconstructed of them; None for the rows themselves. Otherwise "data" takes
        its mean for b_dec, and the encoder sees what a linear regression says of it. An encoder
        that does not subtract b_dec subtracts the mean of the sample, with "paper" nothing.
    device : str, default="cpu"
        Where the module is to be, and where it reconstructs the sample.
    """
    module.activation.initialize_(generator)
    wanted = sample if wanted is None else wanted
    if init == "paper":
        _initialize_as_published(module, wanted, generator)
        module.to(device)
        return
    find = geometric_median if init == "data_median" else partial(torch.mean, dim=0)
    _initialize_from_data(module, init, sample, wanted, find, generator)
    _fit_scale(module.to(device), sample[:4096].to(device), wanted[:4096].to(device))


@torch.no_grad()
def _initialize_as_published(
    module: Autoencoder, wanted: Tensor, generator: torch.Generator
) -> None:
    """Weights as `torch.nn.Linear` draws them, those of the decoder in its set, and b_dec = 0."""
    fan_in = 1 / math.sqrt(module.encoder.weight.shape[1])
    module.encoder.weight.uniform_(-fan_in, fan_in, generator=generator)
    module.encoder.bias.uniform_(-fan_in, fan_in, generator=generator)
    module.decoder.bias.zero_()
    module.decoder.initialize_("paper", wanted, generator)


@torch.no_grad()
def _initialize_from_data(
    module: Autoencoder,
    init: str,
    sample: Tensor,
    wanted: Tensor,
    find_centre: Callable[[Tensor], Tensor],
    generator: torch.Generator,
) -> None:
    """Tied atoms around the centre."""
    centre = input_centre = find_centre(wanted)
    module.decoder.bias.copy_(centre)
    module.decoder.initialize_(init, wanted, generator)
    atoms = module.decoder.dictionary()
    if wanted is not sample:
        input_centre, atoms = find_centre(sample), atoms @ regress(wanted, sample)
    module.encoder.weight.copy_(atoms)
    module.encoder.bias.zero_()
    if module.encoder.centre is not None:
        module.encoder.centre.copy_(input_centre)


@torch.no_grad()
def _fit_scale(module: Autoencoder, sample: Tensor, wanted: Tensor) -> None:
    """Scale the encoder so that the first reconstructions fit.

    Overlapping atoms overshoot: n_components / 2 n_features times for ReLU codes. One least-squares
    factor (activations and, at first, decoders are positively homogeneous) puts that right.
    """
    centre, was_training = module.decoder.bias, module.training
    with Workspace().step():
        module.calibrate(sample)
        fitted = module.eval()(sample).reconstruction - centre
    module.train(was_training)
    energy = fitted.square().sum()
    factor = ((wanted - centre) * fitted).sum() / energy if energy > 0 else torch.ones(())
    if factor > 0:
        module.encoder.weight.mul_(factor)


def regress(wanted: Tensor, x: Tensor) -> Tensor:
    """Coefficients of the linear regression of `wanted` on `x`: shape (n_outputs, n_features).

    Directions in which `x` hardly varies are left out, as noise alone would decide on them.
    """
    dtype = x.dtype
    x, wanted = (rows.double() - rows.double().mean(0) for rows in (x, wanted))
    # A standard deviation of less than a thousandth of the largest.
    inverse = torch.linalg.pinv(x.T @ x, rtol=1e-6, hermitian=True)
    coefficients: Tensor = wanted.T @ x @ inverse
    return coefficients.to(dtype)
