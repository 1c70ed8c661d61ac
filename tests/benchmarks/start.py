"""Weights to start from: an autoencoder as sparse as a trained one, without the training."""

import torch

from .problem import Problem

__all__ = ["Weights", "sparse_start"]

Weights = dict[str, torch.Tensor]
"""encoder_weight and atoms (n_components, n_features), encoder_bias, decoder_bias."""


def sparse_start(problem: Problem) -> Weights:
    """Random unit atoms, tied, and the one encoder bias with which `problem.l0` are active.

    The cost of a step follows the density of the codes, not their quality; a whole training
    would take minutes to reach this density.
    """
    X, n_components = problem.X, problem.n_components
    generator = torch.Generator().manual_seed(problem.seed)
    atoms = torch.randn(n_components, X.shape[1], generator=generator)
    atoms /= torch.linalg.vector_norm(atoms, dim=1, keepdim=True)
    centre = X[:4096].mean(0)
    pre_codes = (X[:512] - centre) @ atoms.T
    threshold = pre_codes.flatten().topk(int(problem.l0 * len(pre_codes))).values[-1]
    return {
        "encoder_weight": atoms.clone(),
        "encoder_bias": torch.full((n_components,), -float(threshold)),
        "atoms": atoms,
        "decoder_bias": centre,
    }
