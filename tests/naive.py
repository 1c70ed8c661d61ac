"""The library's kernels written densely, for autograd: slow and obviously right."""

import itertools

import torch

from sklearn_aensae.dead_features import auxk
from sklearn_aensae.kernels import ActiveCodes, DenseCodes, Pattern
from sklearn_aensae.modules.activations import base, batchwise, relu
from sklearn_aensae.modules.decoders import base as decoders
from sklearn_aensae.objective.reconstruction import gate_reconstruction, mse, nested, wider


def encode(x, weight, bias, offset, select, *, choose=None, subset=None):
    pre_codes = (x - offset) @ weight.T + bias
    candidates = pre_codes if subset is None else pre_codes[:, subset]
    _, columns, counts = select(candidates.detach().contiguous())
    counts = torch.full((len(x),), counts) if isinstance(counts, int) else counts
    columns = (columns if subset is None else subset[columns]).int()
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)]).int()
    pattern = Pattern(columns, starts, len(weight))
    if choose is not None:
        kept = choose(pre_codes.detach()[pattern.rows, columns], pattern)
        if kept is None:
            return encode(x, weight, bias, offset, select, choose=choose, subset=subset)
        pattern = pattern.chosen(kept)
    return pre_codes[pattern.rows, pattern.columns], pattern


def relu_encode(x, weight, bias, offset):
    values = torch.relu((x - offset) @ weight.T + bias)
    return values, values.sum(0), values.square().sum(), (values.detach() > 0).sum(0)


def squared_error(reconstruction, x):
    return (reconstruction - x).square().mean()


def decode(codes, atoms):
    return codes.dense() @ atoms


def group_reconstructions(codes, atoms, bounds):
    dense, bounds = codes.dense(), [0, *bounds]
    return torch.stack([dense[:, a:b] @ atoms[a:b] for a, b in itertools.pairwise(bounds)])


def nested_squared_error(groups, bias, x, level_weights, *, detached):
    error, before = 0.0, torch.zeros_like(x)
    for weight, group in zip(level_weights, groups, strict=True):
        error = error + weight * squared_error(before + group + bias, x)
        before = before + group
        before = before.detach() if detached else before
    return error


def use_naive_kernels(monkeypatch):
    """Put the dense versions in the place of the library's."""
    monkeypatch.setattr(base, "active_encode", encode)
    monkeypatch.setattr(batchwise, "active_encode", encode)
    monkeypatch.setattr(auxk, "active_encode", encode)
    monkeypatch.setattr(relu, "dense_relu_encode", relu_encode)
    monkeypatch.setattr(mse, "mean_squared_error", squared_error)
    monkeypatch.setattr(gate_reconstruction, "mean_squared_error", squared_error)
    monkeypatch.setattr(nested, "nested_squared_error", nested_squared_error)
    monkeypatch.setattr(wider, "mean_squared_error", squared_error)
    monkeypatch.setattr(decoders, "group_reconstructions", group_reconstructions)
    monkeypatch.setattr(ActiveCodes, "decode", decode)
    monkeypatch.setattr(DenseCodes, "decode", decode)
